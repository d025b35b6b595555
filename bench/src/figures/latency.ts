import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { SERVICES, ServiceProcess } from '@millwright/cli/service-process';
import { createLogger, startTelemetry } from '@millwright/observability';
import { loadPlant } from '@millwright/plant';
import { startRedis } from '@millwright/servers';
import { DEFAULT_SETTINGS, GrpcPublisher } from '@millwright/service-ingestion';
import { startStandalone } from '@millwright/service-standalone';
import { readEnvironment, shellEnvironment } from '@millwright/shell';
import { openKafkaLog } from '@millwright/streams';
import { AlarmLatency, type MeasuredLine } from '../alarm-latency.js';
import { quiet, startBroker } from '../broker.js';
import { cpuSeconds } from '../cpu.js';
import { figure, quantile, type Figure, type Measurement } from '../figure.js';
import { PumpData, writePumpPlant } from '../pumps.js';
import { RoundTrips } from '../round-trip.js';

const ROUNDS = 4;
const ROUND_SECONDS = 5;
/** Topics that data pass through on their way to an alarm: telemetry, features, inferences, alarms. */
const HOPS = 4;
const IDLE_ROUND_TRIPS = 500;
/** A process of our own is warm soon, a broker is not. */
const WARM_UP_SECONDS = { embedded: 10, kafka: 150 };
const SOURCE = 'bench';
const SETTINGS = {
  // While a backlog is worked off no data come, and event time is not to go on with the clock.
  MILLWRIGHT_SOURCE_IDLE_MS: '86400000',
  // Every partition of every service is a stream of transactions of its own, which keep the broker on this machine as busy as themselves.
  MILLWRIGHT_PARTITIONS: String(Math.max(1, Math.floor(availableParallelism() / 2))),
};

type Progress = (line: string) => void;

/** A round at half of the highest load. */
interface Round {
  readonly p99Ms: number;
  /** p99 of the bare round trips that were made meanwhile; NaN where there is no broker. */
  readonly bareP99Ms: number;
}

/** What there is on Kafka and not in one process. */
interface Cluster {
  readonly trips: RoundTrips;
  /** Process ids by what they are. */
  readonly processes: ReadonlyMap<string, number>;
}

/** Rounds at half of the highest load that is held, with bare round trips beside them. */
async function atHalfLoad(line: MeasuredLine, data: PumpData, warmUpSeconds: number, progress: Progress, cluster?: Cluster): Promise<Round[]> {
  const latency = new AlarmLatency(line, data);
  await latency.open();
  try {
    await latency.warmUp(warmUpSeconds);
    const highest = await latency.highestRate(progress);
    const half = highest / 2;
    if (cluster !== undefined) for (const rate of [highest, half]) progress(await costs(latency, rate, cluster.processes));
    const rounds: Round[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const ended = new AbortController();
      const [{ latencies, unanswered }, bare] = await Promise.all([latency.run(half, ROUND_SECONDS).finally(() => ended.abort()), cluster?.trips.until(ended.signal) ?? []]);
      const p99Ms = quantile(latencies, 0.99);
      const bareP99Ms = quantile(bare, 0.99);
      rounds.push({ p99Ms, bareP99Ms });
      progress(
        `at ${Math.round(half)} windows/s: p50 ${quantile(latencies, 0.5).toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms of ${latencies.length} alarms (${unanswered} windows changed none)` +
          (cluster === undefined ? '' : `; bare round trips meanwhile: p50 ${quantile(bare, 0.5).toFixed(1)} ms, p99 ${bareP99Ms.toFixed(1)} ms`),
      );
    }
    return rounds;
  } finally {
    await latency.close();
  }
}

/** What a window costs each process, for sizing. */
async function costs(latency: AlarmLatency, rate: number, processes: Cluster['processes']): Promise<string> {
  const used = (): number[] => [...processes.values()].map(cpuSeconds);
  const before = used();
  await latency.run(rate, ROUND_SECONDS);
  const micros = used().map((seconds, i) => Math.round(((seconds - before[i]!) / (rate * ROUND_SECONDS)) * 1e6));
  return `µs of processor time a window at ${Math.round(rate)} windows/s: ${[...processes.keys()].map((name, i) => `${name} ${micros[i]!}`).join(', ')}`;
}

async function embedded(folder: string, plantPath: string, progress: Progress): Promise<Round[]> {
  const { config } = readEnvironment(
    { config: shellEnvironment },
    { MILLWRIGHT_PLANT: plantPath, MILLWRIGHT_INSTANCE: 'bench', MILLWRIGHT_PARTITIONS: '1', LISTEN_HOST: '127.0.0.1', GRPC_PORT: '0', HTTP_PORT: '0' },
  );
  const plant = loadPlant(plantPath);
  const telemetry = await startTelemetry({ service: 'bench', version: '0.1.0', instance: 'bench' });
  const standalone = await startStandalone({
    plant, config, telemetry,
    file: join(folder, 'log.sqlite'),
    ingestion: { ...DEFAULT_SETTINGS, idleMs: Infinity },
    logger: createLogger({ service: 'bench', level: 'fatal' }),
  });
  const { log, intake } = standalone;
  try {
    const line: MeasuredLine = {
      log,
      async publish({ blocks, advanceToUs }) {
        const { refusals, durable } = await intake.telemetry.take(blocks);
        for (const { description } of refusals) progress(description);
        durable.then(
          () => intake.advance(SOURCE, advanceToUs),
          // Too much for the log: the windows stay unanswered, and the load counts as not held.
          (error: unknown) => progress((error as Error).message),
        );
      },
    };
    return await atHalfLoad(line, new PumpData(plant, SOURCE), WARM_UP_SECONDS.embedded, progress);
  } finally {
    await standalone.close();
    await telemetry.shutdown();
  }
}

async function onKafka(folder: string, plantPath: string, progress: Progress): Promise<Round[]> {
  const [broker, redis] = await Promise.all([startBroker(), startRedis()]);
  const servers = { brokers: broker.brokers, redisUrl: redis.url };
  const log = openKafkaLog({ brokers: broker.brokers, clientId: 'bench', logger: quiet(progress) });
  const services: ServiceProcess[] = [];
  let publisher: GrpcPublisher | undefined;
  let trips: RoundTrips | undefined;
  try {
    for (const name of SERVICES) services.push(new ServiceProcess(name, 1, folder, plantPath, servers, false, SETTINGS));
    await Promise.all(services.map((service) => service.ready()));
    publisher = new GrpcPublisher({ address: services[0]!.grpc, source: SOURCE, logger: quiet(progress), onRefusal: ({ description }) => progress(description) });
    trips = await RoundTrips.open(broker.brokers);
    const sender = publisher;
    const processes = new Map([...SERVICES.map((name, i) => [name, services[i]!.pid] as const), ['Kafka', broker.pid], ['Redis', redis.pid], ['bench', process.pid]]);
    const rounds = await atHalfLoad({ log, publish: (step) => sender.publish(step) }, new PumpData(loadPlant(plantPath), SOURCE), WARM_UP_SECONDS.kafka, progress, { trips, processes });
    await sender.flush();
    sender.close();
    await Promise.all(services.splice(0).map((service) => service.stop()));
    const idle: number[] = [];
    while (idle.length < IDLE_ROUND_TRIPS) idle.push(await trips.once());
    progress(`bare round trips without a load: p50 ${quantile(idle, 0.5).toFixed(1)} ms, p99 ${quantile(idle, 0.99).toFixed(1)} ms`);
    return rounds;
  } finally {
    publisher?.close();
    await trips?.close();
    await Promise.all(services.map((service) => service.stop()));
    await log.close();
    await Promise.all([broker.stop(), redis.stop()]);
  }
}

export const latencyMeasurement: Measurement = {
  figures: ['latency_p99_embedded_ms', 'latency_p99_kafka_ms', 'latency_vs_roundtrip'],
  what: 'Latency: from the data that complete a window to the alarm, at half of the highest load held, embedded and on Kafka',
  async measure(progress) {
    const folder = mkdtempSync(join(tmpdir(), 'millwright-bench-'));
    try {
      const plantPath = writePumpPlant(folder);
      const own = await embedded(folder, plantPath, progress);
      const figures: Figure[] = [figure('latency_p99_embedded_ms', own.map(({ p99Ms }) => p99Ms), 150, 'lower', 'ms')];
      const rounds = await onKafka(folder, plantPath, progress);
      figures.push(figure('latency_p99_kafka_ms', rounds.map(({ p99Ms }) => p99Ms), 250, 'lower', 'ms'));
      // Round trips under the same load, on the same machine, at the same time: what a hop costs that adds nothing to Kafka.
      figures.push(figure('latency_vs_roundtrip', rounds.map(({ p99Ms, bareP99Ms }) => p99Ms / (HOPS * bareP99Ms)), 3, 'lower', 'ratio'));
      return figures;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
