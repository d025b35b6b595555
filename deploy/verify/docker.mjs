// Images built from the Dockerfile, and the compose stack fed and counted.
import { join } from 'node:path';
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
      const bases = ['BUILD_IMAGE', 'RUN_IMAGE'].flatMap((name) => (process.env[name] ? ['--build-arg', `${name}=${process.env[name]}`] : []));
      await run('docker', ['build', '-f', join(root, 'deploy/Dockerfile'), '--build-arg', `SERVICE=${service}`, ...bases, '-t', image, root], { env: { DOCKER_BUILDKIT: '1' }, timeoutMs: 1_800_000 });
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

/** Grafana, Prometheus and the collector come along only where their images can be had. */
export async function verifyCompose(report, needs, root) {
  const file = join(root, 'deploy/compose.yaml');
  const compose = (...args) => run('docker-compose', ['-f', file, '-p', 'millwright-verify', ...args], { timeoutMs: 900_000, env: { MILLWRIGHT_TAG: tag() } });
  const observability = Object.values(needs).every(Boolean) && (await have(['otel/opentelemetry-collector-contrib:0.138.0', 'prom/prometheus:v3.7.3', 'grafana/grafana:12.2.1']));
  const services = observability ? [] : ['kafka', 'redis', 'topics', 'ingestion', 'features', 'inference', 'quality', 'alerting'];
  await report.check(`compose: up and end to end${observability ? '' : ', without collector, Prometheus and Grafana, whose images are not here'}`, needs, async () => {
    try {
      await compose('up', '--detach', '--wait', '--no-build', ...services);
      const said = await compose('run', '--rm', '-T', 'feed', '--for', '30s', '--speed', '1', '--json');
      const figures = JSON.parse(said.split('\n').findLast((line) => line.startsWith('{"in"')));
      if (figures.lost !== 0 || figures.duplicated !== 0 || figures.in === 0) throw new Error(JSON.stringify(figures));
      return `in ${figures.in}, inferences ${figures.inferences}, lost ${figures.lost}, duplicated ${figures.duplicated}, p99 ${figures.p99_ms} ms`;
    } finally {
      await compose('down', '--volumes', '--timeout', '20');
    }
  });
}

async function have(images) {
  try {
    await run('docker', ['image', 'inspect', ...images]);
    return true;
  } catch {
    return false;
  }
}
