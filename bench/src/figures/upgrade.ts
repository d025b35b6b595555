import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { ROOT } from '@millwright/cli/home';
import { SERVICES, ServiceProcess, type ServiceName } from '@millwright/cli/service-process';
import { startKafka, startRedis } from '@millwright/servers';
import { figure, type Measurement } from '../figure.js';
import { Front } from '../front.js';
import { describeHandOvers } from '../hand-overs.js';

const PLANT = join(ROOT, 'plants', 'demo', 'plant.yaml');
/** The first transactions and connections are slower than all that follow. */
const WARM_UP_SECONDS = 20;
const UNDISTURBED_SECONDS = 60;
/** Two upgrades and two rollbacks take about half of it; some six windows a second come out, of which the slowest hundredth is to be told. */
const DISTURBED_SECONDS = 120;
/** Before an upgrade begins, and after it. */
const CALM_MS = 5_000;
/** How long an instance works on beside its ready successor; the chart's preStopSeconds. */
const BESIDE_MS = 5_000;
/** As many as the cluster has that this figure was first asked for. */
const SETTINGS = { MILLWRIGHT_PARTITIONS: '4' };

/** What `millwright feed --json` says. */
interface Fed {
  readonly in: number;
  readonly inferences: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
}

type Progress = (line: string) => void;

/** The five services, each of which can be replaced as a Deployment replaces its pods. */
class Fleet {
  readonly #start: (name: ServiceName) => ServiceProcess;
  readonly #present = new Map<ServiceName, ServiceProcess>();
  readonly #all: ServiceProcess[] = [];
  #front: Front | undefined;

  constructor(folder: string, servers: { readonly brokers: readonly string[]; readonly redisUrl: string }) {
    let instances = 0;
    this.#start = (name) => {
      const service = new ServiceProcess(name, ++instances, folder, PLANT, { ...servers, brokers: [...servers.brokers] }, false, SETTINGS);
      this.#all.push(service);
      return service;
    };
  }

  /** Where ingestion is reached, whichever instance that is. */
  get ingestion(): string {
    return this.#front!.address;
  }

  async start(): Promise<void> {
    for (const name of SERVICES) this.#present.set(name, this.#start(name));
    await Promise.all([...this.#present.values()].map((service) => service.ready()));
    this.#front = await Front.open(this.#present.get('ingestion')!.grpc);
  }

  /** Replaces every service, all at the same time: an instance starts, and when it is ready the one before it is ended. Resolves to seconds. */
  async replace(): Promise<number> {
    const began = performance.now();
    await Promise.all(
      SERVICES.map(async (name) => {
        const before = this.#present.get(name)!;
        const next = this.#start(name);
        await next.ready();
        this.#present.set(name, next);
        if (name === 'ingestion') this.#front!.turnTo(next.grpc);
        await delay(BESIDE_MS);
        await before.stop();
      }),
    );
    return (performance.now() - began) / 1000;
  }

  async close(): Promise<void> {
    await this.#front?.close();
    await Promise.all(this.#all.map((service) => service.stop()));
  }
}

/** The demo plant at the speed of a clock, as `millwright feed` plays and counts it. @throws when something was lost, came twice or did not come out */
async function feed(fleet: Fleet, brokers: readonly string[], seconds: number): Promise<Fed> {
  const args = [join(ROOT, 'cli', 'dist', 'main.js'), 'feed', '--address', fleet.ingestion, '--for', `${seconds}s`, '--speed', '1', '--json'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, KAFKA_BROKERS: brokers.join(',') } });
  const [said, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const line = said.split('\n').findLast((each) => each.startsWith('{'));
  if (line === undefined) throw new Error(`the feed gave no figures:\n${errors}`);
  const fed = JSON.parse(line) as Fed;
  if (fed.lost !== 0 || fed.duplicated !== 0 || fed.inferences === 0) throw new Error(`in ${fed.in}, inferences ${fed.inferences}, lost ${fed.lost}, duplicated ${fed.duplicated}:\n${errors}`);
  return fed;
}

async function upgradeAndRollBackTwice(fleet: Fleet, progress: Progress): Promise<void> {
  for (const what of ['upgrade', 'rollback', 'upgrade', 'rollback']) {
    await delay(CALM_MS);
    progress(`${what} done after ${(await fleet.replace()).toFixed(1)} s`);
  }
}

const say = ({ in: taken, inferences, lost, duplicated, p50_ms, p99_ms }: Fed): string =>
  `in ${taken}, inferences ${inferences}, lost ${lost}, duplicated ${duplicated}, p50 ${p50_ms} ms, p99 ${p99_ms} ms`;

export const upgradeMeasurement: Measurement = {
  figures: ['upgrade_p99_ratio'],
  what: 'Rolling upgrade: p99 latency while all five services are replaced and replaced again, by that of the undisturbed line',
  async measure(progress) {
    const folder = mkdtempSync(join(tmpdir(), 'millwright-bench-'));
    const [broker, redis] = await Promise.all([startKafka(), startRedis()]);
    const fleet = new Fleet(folder, { brokers: broker.brokers, redisUrl: redis.url });
    try {
      await fleet.start();
      await feed(fleet, broker.brokers, WARM_UP_SECONDS);
      const undisturbed = await feed(fleet, broker.brokers, UNDISTURBED_SECONDS);
      progress(`undisturbed: ${say(undisturbed)}`);
      const beganMs = Date.now();
      const [disturbed] = await Promise.all([feed(fleet, broker.brokers, DISTURBED_SECONDS), upgradeAndRollBackTwice(fleet, progress)]);
      progress(`upgraded and rolled back, twice: ${say(disturbed)}`);
      for (const line of describeHandOvers(folder, beganMs)) progress(line);
      return [figure('upgrade_p99_ratio', [disturbed.p99_ms / undisturbed.p99_ms], 2, 'lower', 'ratio')];
    } finally {
      await fleet.close();
      await Promise.all([broker.stop(), redis.stop()]);
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
