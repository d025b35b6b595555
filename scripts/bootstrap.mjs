#!/usr/bin/env node
// The way in on a fresh machine: plain Node (20 or newer), no dependency. Installs from the lock file when that changed,
// builds, and hands over to the project's own Node (an npm package, so that the machine's version does not matter).
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const windows = process.platform === 'win32';

const COMMANDS = {
  start: ['cli/dist/main.js', 'run'],
  cluster: ['cli/dist/main.js', 'cluster'],
  bench: ['--expose-gc', 'bench/dist/main.js'],
  // kafkajs waits for times that have passed.
  prove: ['--disable-warning=TimeoutNegativeWarning', 'proof/dist/main.js'],
  millwright: ['cli/dist/main.js'],
  'verify-deploy': ['scripts/verify-deploy.mjs'],
  'test-oip': ['scripts/test-oip.mjs'],
  test: ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'],
  'test-training': ['training/test.mjs'],
  prepare: undefined,
};

/**
 * Of V8, for all processes that are started here; deploy/Dockerfile has the same. Samples lie in buffers outside of its heap, and those
 * are freed when the young objects that point to them are looked through. Where V8 chooses how many of these there may be that is seldom,
 * and before it comes to that what lies outside makes it look through everything, three times a second, for 50 ms each
 * (docs/performance.md).
 */
const NODE_OPTIONS = '--max-semi-space-size=4';

/** Ends with one sentence for the person at the terminal. */
function fail(sentence) {
  console.error(sentence);
  process.exit(2);
}

function run(command, args, env = process.env) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], env, shell: windows });
  if (error) fail(`${command} could not be started: ${error.message}`);
  return status ?? 1;
}

function install() {
  const lock = createHash('sha256').update(readFileSync(join(root, 'package-lock.json'))).digest('hex');
  const stamp = join(root, 'node_modules', '.millwright-lock');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  console.error('Installing dependencies from package-lock.json ...');
  // onnxruntime-node's install step fetches CUDA libraries from outside the registry and fails the whole install where it can't.
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' };
  if (run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], env) !== 0) fail('npm ci failed: see its message above; when the network was away, run the same command again.');
  writeFileSync(stamp, lock);
}

function ownNode() {
  const local = join(root, 'node_modules', '.bin', windows ? 'node.cmd' : 'node');
  if (existsSync(local)) return local;
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 15)) return process.execPath;
  return fail(`No Node 24 comes as a package for ${process.platform}-${process.arch}: install Node 24 or newer (this is ${process.version}).`);
}

const [name = 'start', ...args] = process.argv.slice(2);
if (!(name in COMMANDS)) fail(`Unknown command "${name}": use one of ${Object.keys(COMMANDS).join(', ')}.`);
if (Number(process.versions.node.split('.')[0]) < 20) fail(`Node 20 or newer is needed, this is ${process.version}.`);
install();
const node = ownNode();
if (run(node, [join('node_modules', 'typescript-native', 'bin', 'tsc'), '-b']) !== 0) fail('The build failed: see the messages above.');
if (run(node, [join('scripts', 'bundle.mjs')]) !== 0) fail('The services could not be bundled: see the messages above.');
if (COMMANDS[name] !== undefined) {
  const [script, ...rest] = COMMANDS[name].map((part) => (/\.m?js$/.test(part) ? join(root, part) : part));
  // Paths on the command line are meant from where the user stands: npm changes the folder but leaves INIT_CWD.
  const cwd = name === 'test' ? root : (process.env.INIT_CWD ?? process.cwd());
  const env = { ...process.env, NODE_OPTIONS: [NODE_OPTIONS, process.env.NODE_OPTIONS].filter(Boolean).join(' ') };
  const child = spawn(node, [script, ...rest, ...args], { cwd, stdio: 'inherit', env, shell: windows });
  // Ctrl-C reaches the child by itself (same process group); a plain kill has to be passed on.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}
