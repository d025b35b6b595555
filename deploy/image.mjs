// Makes what goes into an image in /image: the compiled service with its production dependencies, and nothing that it does not need to run.
// Plain Node, so that the build needs no shell. `compile` is the same for all images; `assemble` reads SERVICE and ACCELERATOR.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const SERVICES = ['ingestion', 'features', 'inference', 'quality', 'alerting', 'standalone'];
const { SERVICE: service, ACCELERATOR: accelerator = 'cpu' } = process.env;
const root = process.cwd();
const image = '/image';

function fail(sentence) {
  console.error(sentence);
  process.exit(2);
}

function run(command, args, options = {}) {
  const { status, stdout, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', options.output ? 'pipe' : 'inherit', 'inherit'], maxBuffer: 2 ** 28, ...options });
  if (error) fail(`${command} could not be started: ${error.message}`);
  if (status !== 0) fail(`${command} ${args.join(' ')} failed: see its message above.`);
  return stdout;
}

const npm = ['--no-audit', '--no-fund', '--loglevel=error'];
const skip = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' };

if (process.argv[2] === 'compile') compile();
else assemble();

function compile() {
  run('npm', ['ci', '--ignore-scripts', ...npm], { env: skip });
  run('node', ['node_modules/typescript-native/bin/tsc', '-b', ...SERVICES.map((name) => `services/${name}`), 'cli']);
  run('node', ['scripts/bundle.mjs']);
}

function assemble() {
  if (service !== 'cli' && !SERVICES.includes(service)) fail(`SERVICE is "${service ?? ''}": give one of ${[...SERVICES, 'cli'].join(', ')}.`);
  if (!['cpu', 'cuda'].includes(accelerator)) fail(`ACCELERATOR is "${accelerator}": give cpu or cuda.`);
  const folder = service === 'cli' ? 'cli' : `services/${service}`;
  const production = ['--omit=dev', `--workspace=${folder}`];
  run('npm', ['ci', '--ignore-scripts', '--prefer-offline', ...production, ...npm], { env: skip });
  if (accelerator === 'cuda') addCuda();
  mkdirSync(image);
  const main = join(image, 'main.mjs');
  if (service === 'cli') writeFileSync(main, `import './cli/dist/main.js';\n`);
  else cpSync(join(root, `bundles/${service}/main.js`), main);
  copy('package.json');
  copy('plants');
  copy('node_modules');
  const members = membersNeeded(folder);
  for (const member of members) for (const part of ['package.json', 'dist', 'kafka', 'node_modules']) copy(join(member, part));
  dropDanglingLinks(join(image, 'node_modules/@millwright'));
  trimOnnxRuntime(join(image, 'node_modules/onnxruntime-node/bin'));
  writeFileSync(join(image, 'sbom.cdx.json'), billOfMaterials(production, members));
  console.log(`${service}: ${globSync('**/*', { cwd: image }).length} files in ${image}`);
}

/** ONNX Runtime's libraries for CUDA: those that BUILD_IMAGE brings, or else what its package fetches, which not every network lets through. */
function addCuda() {
  const runtime = join(root, 'node_modules/onnxruntime-node');
  const brought = '/usr/local/lib/onnxruntime';
  if (existsSync(brought)) cpSync(brought, join(runtime, globSync(`bin/*/${process.platform}/${process.arch}`, { cwd: runtime })[0]), { recursive: true });
  else run('node', ['script/install.js'], { cwd: runtime, env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'cuda12' } });
}

function copy(path) {
  if (existsSync(join(root, path))) cpSync(join(root, path), join(image, path), { recursive: true, verbatimSymlinks: true, filter: (each) => !unneeded(each) });
}

/** Folders of the packages of this repository that one of them runs with, itself included. */
function membersNeeded(folder) {
  const folders = new Map(globSync(['{libs,services}/*/package.json', 'cli/package.json'], { cwd: root }).map((path) => [manifest(dirname(path)).name, dirname(path)]));
  const needed = new Set([folder]);
  for (const each of needed) {
    for (const name of Object.keys(manifest(each).dependencies ?? {})) if (folders.has(name)) needed.add(folders.get(name));
  }
  return needed;
}

function manifest(folder) {
  return JSON.parse(readFileSync(resolve(root, folder, 'package.json'), 'utf8'));
}

/** Links to packages that this service does not use lead nowhere. */
function dropDanglingLinks(folder) {
  for (const name of readdirSync(folder)) if (!existsSync(join(folder, name))) rmSync(join(folder, name));
}

/** CycloneDX of what is in the image, Node included: what the lock file says of the packages that are there. */
function billOfMaterials(production, members) {
  const bill = JSON.parse(run('npm', ['sbom', '--package-lock-only', '--sbom-format=cyclonedx', '--sbom-type=application', ...production], { output: true }));
  // Links, as those to packages of this repository, are not followed.
  const installed = globSync('**/node_modules/{*,@*/*}/package.json', { cwd: image }).map((path) => join(image, dirname(path)));
  const there = new Set([...installed, ...members].map(manifest).map(({ name, version }) => `${name}@${version}`));
  bill.components = bill.components.filter((each) => there.has(each['bom-ref']));
  const node = { 'bom-ref': `node@${process.versions.node}`, type: 'platform', name: 'node', version: process.versions.node, purl: `pkg:generic/node@${process.versions.node}` };
  bill.components.push(node);
  bill.metadata.component.name = `millwright-${service}`;
  const refs = new Set([bill.metadata.component['bom-ref'], ...bill.components.map((each) => each['bom-ref'])]);
  bill.dependencies = bill.dependencies.filter(({ ref }) => refs.has(ref)).map((each) => ({ ...each, dependsOn: each.dependsOn.filter((ref) => refs.has(ref)) }));
  return `${JSON.stringify(bill, undefined, 2)}\n`;
}

/** What only compilers, debuggers, tests and people read. */
function unneeded(path) {
  return /\.(d\.[cm]?ts|ts|map|md|markdown|tsbuildinfo|flow)$|\.spec\.js$|\/(testing|__tests__|\.bin|\.cache)$|\/\.package-lock\.json$/.test(path) && !/LICEN[CS]E/i.test(path);
}

/** The libraries of other systems, which are the larger part of the package. */
function trimOnnxRuntime(bin) {
  if (!existsSync(bin)) return;
  for (const platform of globSync('*/*', { cwd: bin })) if (!platform.endsWith(process.platform)) rmSync(join(bin, platform), { recursive: true });
  for (const arch of globSync('*/*/*', { cwd: bin })) if (!arch.endsWith(process.arch)) rmSync(join(bin, arch), { recursive: true });
}
