// The chart on a real Kubernetes: installed with Kafka and Redis in pods, fed through ingestion's Service, its pods deleted, upgraded and rolled back.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { run } from './run.mjs';

const NAMESPACE = 'millwright-verify';
const RELEASE = 'line';
const SERVICES = ['ingestion', 'features', 'inference', 'quality', 'alerting'];

const kubectl = (...args) => run('kubectl', ['-n', NAMESPACE, ...args]);
const apply = (manifest) => run('kubectl', ['-n', NAMESPACE, 'apply', '-f', '-'], { input: manifest });
const clusterIp = (service) => kubectl('get', 'service', service, '-o', 'jsonpath={.spec.clusterIP}');
const workload = (component) => `deployment/${RELEASE}-millwright-${component}`;

/** Nodes can run pods only where there are some. */
export async function hasNode() {
  try {
    return (await run('kubectl', ['get', 'nodes', '-o', 'name'])).trim() !== '';
  } catch {
    return false;
  }
}

export async function verifyOnNode(report, root) {
  const chart = join(root, 'helm/millwright');
  const tag = process.env.MILLWRIGHT_TAG ?? '0.1.0';
  const replicas = process.env.VERIFY_REPLICAS ?? '1';
  let brokers;
  let ingestion;
  let normal;
  const release = (verb, ...more) =>
    run('helm', [
      verb, RELEASE, chart, '--namespace', NAMESPACE, '--wait', '--timeout', '5m',
      '--set', `kafka.brokers={${brokers}}`, '--set', `redis.url=redis://${redisIp}:6379`, '--set', 'kafka.replicationFactor=1', '--set', 'kafka.partitions=4',
      '--set', `image.tag=${tag}`, '--set', `defaults.replicas=${replicas}`, '--set', 'defaults.resources.requests.cpu=50m', ...more,
    ]);
  let redisIp;
  const step = (name, action) => report.check(`node: ${name}`, {}, action);
  const failedBefore = report.failed;

  if (process.env.VERIFY_LOAD) await step('images loaded into the node', () => load(process.env.VERIFY_LOAD, tag));
  await run('kubectl', ['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait']);
  await run('kubectl', ['create', 'namespace', NAMESPACE]);
  try {
    const installed =
      (await step('Kafka and Redis in pods', async () => {
        const servers = readFileSync(join(root, 'deploy/verify/servers.yaml'), 'utf8');
        await apply(servers.split('\n---\n').slice(0, 2).join('\n---\n'));
        const kafkaIp = await clusterIp('kafka');
        await apply(servers.replace('//ADVERTISED:', `//${kafkaIp}:`));
        await Promise.all(['kafka', 'redis'].map((name) => kubectl('rollout', 'status', `deployment/${name}`, '--timeout=180s')));
        brokers = `${kafkaIp}:9092`;
        redisIp = await clusterIp('redis');
      })) &&
      (await step('helm install, topics by the hook', async () => {
        await release('install');
        ingestion = `${await clusterIp(`${RELEASE}-millwright-ingestion`)}:50051`;
        return `ready after ${(await readySeconds()).join(', ')}`;
      }));
    if (!installed) return;

    // The first transactions and connections are slower than all that follow.
    await step('warmed up', async () => say(await (await feed('warm', 20)).figures()));
    await step('end to end through the gRPC Service', async () => {
      normal = await (await feed('check', 45)).figures();
      return say(normal);
    });
    await step('a pod of each service deleted under load', async () => {
      const load = await feed('deletions', 120);
      for (const component of SERVICES) {
        const [pod] = (await kubectl('get', 'pods', '-l', `app.kubernetes.io/component=${component}`, '-o', 'name')).trim().split('\n');
        await kubectl('delete', pod, '--wait=false');
        await delay(5_000);
        await kubectl('rollout', 'status', workload(component), '--timeout=120s');
      }
      return say(await load.figures());
    });
    await step('a rolling upgrade and a rollback under load', async () => {
      const load = await feed('upgrade', 150);
      const before = (await kubectl('get', 'pods', '-l', `app.kubernetes.io/component in (${SERVICES})`, '-o', 'name')).trim().split('\n');
      await release('upgrade', '--set', 'plant.revision=2');
      // Until they are gone they hand over, for which Helm does not wait.
      await kubectl('wait', ...before, '--for=delete', '--timeout=60s');
      await run('helm', ['rollback', RELEASE, '1', '--namespace', NAMESPACE, '--wait', '--timeout', '5m']);
      const figures = await load.figures();
      return `${say(figures)}; p99 ${(figures.p99_ms / normal.p99_ms).toFixed(2)} times that of the undisturbed line`;
    });
    await step('helm uninstall leaves nothing', async () => {
      await run('helm', ['uninstall', RELEASE, '--namespace', NAMESPACE, '--wait']);
      await kubectl('wait', 'pods', '-l', `app.kubernetes.io/instance=${RELEASE}`, '--for=delete', '--timeout=60s');
      const left = (await kubectl('get', 'all,networkpolicy,pdb', '-l', `app.kubernetes.io/instance=${RELEASE}`, '-o', 'name')).trim();
      if (left !== '') throw new Error(`left behind: ${left}`);
    });
  } finally {
    if (report.failed > failedBefore) {
      console.log(await kubectl('get', 'pods', '-o', 'wide').catch(String));
      for (const component of SERVICES) console.log(await kubectl('logs', workload(component), '--tail=15').catch(String));
    }
    await run('kubectl', ['delete', 'namespace', NAMESPACE, '--wait=false']).catch(() => undefined);
  }

  /** The simulated plant for some seconds, as a job of the cluster's own. */
  async function feed(name, seconds) {
    const args = ['feed', '--address', ingestion, '--for', `${seconds}s`, '--speed', '1', '--json'];
    const env = [{ name: 'KAFKA_BROKERS', value: brokers }];
    // It tells the time that others take, so it must not be kept waiting itself.
    const resources = { requests: { cpu: '200m', memory: '128Mi' } };
    const container = { name: 'feed', image: `millwright/cli:${tag}`, imagePullPolicy: 'IfNotPresent', args, env, resources };
    const spec = { backoffLimit: 0, template: { spec: { restartPolicy: 'Never', containers: [container] } } };
    await apply(JSON.stringify({ apiVersion: 'batch/v1', kind: 'Job', metadata: { name: `feed-${name}` }, spec }));
    await kubectl('wait', `job/feed-${name}`, '--for=jsonpath={.status.ready}=1', '--timeout=60s');
    return {
      /** @throws when something was lost, came twice or did not come out */
      async figures() {
        let status;
        for (;;) {
          status = JSON.parse(await kubectl('get', `job/feed-${name}`, '-o', 'jsonpath={.status}'));
          if (status.succeeded || status.failed) break;
          await delay(1_000);
        }
        const said = await kubectl('logs', `job/feed-${name}`);
        const line = said.split('\n').findLast((each) => each.startsWith('{"in"'));
        if (line === undefined) throw new Error(`the feed gave no figures:\n${said}`);
        const figures = JSON.parse(line);
        if (status.failed || figures.lost !== 0 || figures.duplicated !== 0 || figures.in === 0 || figures.inferences === 0) throw new Error(`${say(figures)}\n${said.split('\n').slice(-12).join('\n')}`);
        return figures;
      },
    };
  }
}

/** Hands an archive of the images to a command, for nodes that pull from nowhere. */
async function load(command, tag) {
  const folder = mkdtempSync(join(tmpdir(), 'millwright-images-'));
  try {
    const archive = join(folder, 'images.tar');
    await run('docker', ['save', '-o', archive, ...[...SERVICES, 'cli'].map((name) => `millwright/${name}:${tag}`), 'apache/kafka:4.3.1', 'redis:8']);
    await run('sh', ['-c', `${command} "$0"`, archive]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const say = ({ in: taken, features, inferences, alarms, lost, duplicated, p50_ms, p99_ms }) =>
  `in ${taken}, features ${features}, inferences ${inferences}, alarms ${alarms}, lost ${lost}, duplicated ${duplicated}, p50 ${p50_ms} ms, p99 ${p99_ms} ms`;

/** Seconds from the start of each component's container to its readiness. */
async function readySeconds() {
  const { items } = JSON.parse(await kubectl('get', 'pods', '-l', `app.kubernetes.io/instance=${RELEASE}`, '-o', 'json'));
  return items.flatMap(({ metadata, status }) => {
    const ready = status.conditions?.find(({ type }) => type === 'Ready');
    const started = status.containerStatuses?.[0]?.state?.running?.startedAt;
    if (ready === undefined || started === undefined) return [];
    return [`${metadata.labels['app.kubernetes.io/component']} ${((Date.parse(ready.lastTransitionTime) - Date.parse(started)) / 1000).toFixed(0)} s`];
  });
}
