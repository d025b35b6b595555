// Images built from the Dockerfile, and the compose stack fed and counted.
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { run } from './run.mjs';

const SERVICES = ['ingestion', 'features', 'inference', 'quality', 'alerting', 'standalone', 'cli'];
/** Megabytes (10^6), as Docker counts. */
const MOST_MB = { inference: 450, standalone: 450, cli: 450 };
const OTHERS_MB = 250;

export async function hasDocker() {
  try {
    await run('docker', ['info', '--format', '{{.ServerVersion}}'], { timeoutMs: 10_000 });
    return true;
  } catch {
    return false;
  }
}

const tag = () => process.env.MILLWRIGHT_TAG ?? '0.1.0';

export async function verifyImages(report, needs, root) {
  for (const service of SERVICES) {
    const image = `millwright/${service}:${tag()}`;
    await report.check(`image ${service}: built, small, not root, with a bill of materials`, needs, async () => {
      await build(root, image, { SERVICE: service, BUILD_IMAGE: process.env.BUILD_IMAGE, RUN_IMAGE: process.env.RUN_IMAGE });
      const [{ Size: size, Config: config }] = JSON.parse(await run('docker', ['image', 'inspect', image]));
      const megabytes = size / 1e6;
      const most = MOST_MB[service] ?? OTHERS_MB;
      if (megabytes > most) throw new Error(`${image} has ${megabytes.toFixed(0)} MB, more than ${most}`);
      if (!/^[1-9]\d*/.test(config.User)) throw new Error(`${image} runs as "${config.User}"`);
      const script = `const s=JSON.parse(require('fs').readFileSync('/app/sbom.cdx.json'));console.log(process.getuid(), s.bomFormat, s.components.length)`;
      const said = await run('docker', ['run', '--rm', '--read-only', '--entrypoint', '/usr/local/bin/node', image, '-e', script]);
      const [, format, components] = said.trim().split(' ');
      if (format !== 'CycloneDX') throw new Error(`${image} has no bill of materials: ${said}`);
      return `${megabytes.toFixed(0)} MB, ${components} components`;
    });
  }
}

/** Given what `CUDA_RUN_IMAGE` and `CUDA_BUILD_IMAGE` name; the driver, which is the node's, is all that the image may lack. */
export async function verifyCudaImage(report, needs, root) {
  const { CUDA_RUN_IMAGE, CUDA_BUILD_IMAGE } = process.env;
  const image = `millwright/inference-cuda:${tag()}`;
  await report.check('image inference-cuda: built, finds all that it is linked with but the driver', { ...needs, 'CUDA_RUN_IMAGE, a base with CUDA and cuDNN': Boolean(CUDA_RUN_IMAGE) }, async () => {
    await build(root, image, { SERVICE: 'inference', ACCELERATOR: 'cuda', RUN_IMAGE: CUDA_RUN_IMAGE, BUILD_IMAGE: CUDA_BUILD_IMAGE });
    const script = `
      const { globSync } = require('node:fs');
      const [library] = globSync('/app/node_modules/onnxruntime-node/bin/*/linux/*/libonnxruntime_providers_cuda.so');
      // The loader can say it without a shell.
      const loader = process.report.getReport().sharedObjects.find((path) => path.includes('ld-linux'));
      const { stdout } = require('node:child_process').spawnSync(loader, [library], { encoding: 'utf8', env: { LD_TRACE_LOADED_OBJECTS: '1' } });
      console.log(JSON.stringify({ found: stdout.match(/=> \\//g)?.length ?? 0, missing: stdout.match(/\\S+(?= => not found)/g) ?? [] }));`;
    const said = await run('docker', ['run', '--rm', '--read-only', '--entrypoint', '/usr/local/bin/node', image, '-e', script]);
    const { found, missing } = JSON.parse(said);
    const lacking = missing.filter((name) => !name.startsWith('libcuda.so'));
    if (found === 0 || lacking.length > 0) throw new Error(`${image}: ${found} libraries found; missing: ${lacking.join(', ')}`);
    return `${found} libraries`;
  });
}

function build(root, image, args) {
  const given = Object.entries(args).flatMap(([name, value]) => (value ? ['--build-arg', `${name}=${value}`] : []));
  return run('docker', ['build', '-f', join(root, 'deploy/Dockerfile'), ...given, '-t', image, root], { env: { DOCKER_BUILDKIT: '1' }, timeoutMs: 1_800_000 });
}

const LINE = ['kafka', 'redis', 'topics', 'ingestion', 'features', 'inference', 'quality', 'alerting'];
const OBSERVABILITY = ['prometheus', 'collector', 'grafana'];

/** Prometheus, the collector and Grafana come along where their images have been pulled or built. */
export async function verifyCompose(report, needs, root) {
  const file = join(root, 'deploy/compose.yaml');
  const compose = (...args) => run('docker-compose', ['-f', file, '-p', 'millwright-verify', ...args], { timeoutMs: 900_000, env: { MILLWRIGHT_TAG: tag() } });
  const canRun = Object.values(needs).every(Boolean);
  const there = [];
  if (canRun) {
    const { services } = JSON.parse(await compose('config', '--format', 'json'));
    for (const name of OBSERVABILITY) if (await have(services[name].image)) there.push(name);
  }
  const missing = OBSERVABILITY.filter((name) => !there.includes(name));
  const up = await report.check(`compose: up and end to end${missing.length > 0 ? `, without ${missing.join(', ')} (no image here)` : ''}`, needs, async () => {
    await compose('up', '--detach', '--wait', '--no-build', ...LINE, ...there);
    const said = await compose('run', '--rm', '-T', 'feed', '--for', '30s', '--speed', '1', '--json');
    const figures = JSON.parse(said.split('\n').findLast((line) => line.startsWith('{"in"')));
    if (figures.lost !== 0 || figures.duplicated !== 0 || figures.in === 0) throw new Error(JSON.stringify(figures));
    return `in ${figures.in}, inferences ${figures.inferences}, lost ${figures.lost}, duplicated ${figures.duplicated}, p99 ${figures.p99_ms} ms`;
  });
  try {
    const query = async (expression) => {
      const said = await compose('exec', '-T', 'prometheus', 'wget', '-qO-', `http://127.0.0.1:9090/api/v1/query?query=${encodeURIComponent(expression)}`);
      return JSON.parse(said).data.result;
    };
    await report.check('compose: Prometheus has all five services', { 'an image of Prometheus': there.includes('prometheus'), 'the stack': up }, async () => {
      const results = await eventually(() => query('up == 1'), (found) => found.length >= 5);
      return results.map(({ metric }) => metric.instance).join(', ');
    });
    await report.check('compose: traces reach the collector, and come out as metrics', { 'an image of the collector': there.includes('collector'), 'the stack': up }, async () => {
      const results = await eventually(() => query('sum by (service_name) (traces_span_metrics_calls_total) > 0'), (found) => found.length >= 5);
      return results.map(({ metric, value }) => `${metric.service_name} ${value[1]} spans`).join(', ');
    });
  } finally {
    if (canRun) await compose('down', '--volumes', '--timeout', '20');
  }
}

async function have(image) {
  try {
    await run('docker', ['image', 'inspect', image]);
    return true;
  } catch {
    return false;
  }
}

/** Asks until the answer is as wanted, for two minutes: metrics of spans go out once a minute. */
async function eventually(ask, isWanted) {
  for (const until = Date.now() + 120_000; ; await delay(2_000)) {
    const found = await ask();
    if (isWanted(found)) return found;
    if (Date.now() > until) throw new Error(`after two minutes still ${JSON.stringify(found)}`);
  }
}
