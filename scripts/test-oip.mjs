#!/usr/bin/env node
// npm run test:oip: starts standalone on a copy of the demo plant and has Triton's own clients (tritonclient, PyPI) check its Open Inference
// Protocol against ONNX Runtime for Python. Needs Python 3.11 or newer with venv; packages come from PyPI, once, into .millwright/.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const START_MS = 60_000;
const requirements = join(root, 'scripts/oip/requirements.txt');

function fail(sentence) {
  console.error(sentence);
  process.exit(2);
}

/** Python with the pinned packages; its folder is named after them, so that others get another. */
function python() {
  const version = spawnSync('python3', ['-c', 'import sys, venv; print(sys.version_info >= (3, 11))'], { encoding: 'utf8' });
  if (version.error) fail('Triton\'s clients need Python 3.11 or newer, and there is no python3 on the PATH: install it, or leave this check out.');
  if (version.stdout.trim() !== 'True') fail('Triton\'s clients need Python 3.11 or newer with its module venv, and python3 on the PATH is older or lacks it: install python3 and python3-venv.');
  const folder = join(root, '.millwright', `oip-${createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12)}`);
  const own = join(folder, 'bin/python');
  if (existsSync(join(folder, 'complete'))) return own;
  console.error('Making the Python environment of tritonclient, once ...');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(dirname(folder), { recursive: true });
  const steps = [['python3', ['-m', 'venv', folder]], [own, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements]]];
  for (const [command, args] of steps) {
    const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
    if (status !== 0) fail(`The Python environment could not be made: ${stderr.trim().split('\n').at(-1)}`);
  }
  mkdirSync(join(folder, 'complete'));
  return own;
}

/** Resolves to the addresses that the process logs when it listens; the process is ended where it does not. */
async function addresses(child) {
  const timer = setTimeout(() => child.kill('SIGTERM'), START_MS);
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const { message, grpc, http } = JSON.parse(line);
      if (message === 'listening') return { grpc, http };
    }
  } finally {
    clearTimeout(timer);
  }
  throw new Error(`standalone did not listen within ${START_MS / 1000} s: see its messages above.`);
}

const interpreter = python();
const folder = mkdtempSync(join(tmpdir(), 'millwright-oip-'));
const plant = join(folder, 'plant');
cpSync(join(root, 'plants/demo'), plant, { recursive: true });
const server = spawn(process.execPath, [join(root, 'services/standalone/dist/main.js')], {
  env: { ...process.env, MILLWRIGHT_PLANT: join(plant, 'plant.yaml'), MILLWRIGHT_LOG_FILE: join(folder, 'log.sqlite'), LISTEN_HOST: '127.0.0.1', GRPC_PORT: '0', HTTP_PORT: '0' },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const ended = once(server, 'exit');
try {
  const { grpc, http } = await addresses(server);
  server.stdout.resume();
  const check = spawn(interpreter, [join(root, 'scripts/oip/check.py'), grpc, http, join(plant, 'models')], { stdio: 'inherit' });
  [process.exitCode] = await once(check, 'exit');
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  server.kill('SIGTERM');
  await ended;
  rmSync(folder, { recursive: true, force: true });
}
