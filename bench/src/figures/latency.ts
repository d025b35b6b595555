import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { SERVICES, ServiceProcess } from '@millwright/cli/service-process';
import { createLogger, startTelemetry } from '@millwright/observability';
import { loadPlant } from '@millwright/plant';
import { startKafka, startRedis } from '@millwright/servers';
import { DEFAULT_SETTINGS, GrpcPublisher } from '@millwright/service-ingestion';
import { startStandalone } from '@millwright/service-standalone';
import { readEnvironment, shellEnvironment } from '@millwright/shell';
import { openKafkaLog } from '@millwright/streams';
import { AlarmLatency, type MeasuredLine } from '../alarm-latency.js';
import { quiet } from '../broker.js';
import { figure, quantile, type Figure, type Measurement } from '../figure.js';
import { PumpData, writePumpPlant } from '../pumps.js';
import { roundTrips } from '../round-trip.js';

const ROUNDS = 4;
const ROUND_SECONDS = 5;
/** Topics that data pass through on their way to an alarm: telemetry, features, inferences, alarms. */
const HOPS = 4;
const ROUND_TRIPS = 500;
const SOURCE = 'bench';
const SETTINGS = {
  // While a backlog is worked off no data come, and event time is not to go on with the clock.
  MILLWRIGHT_SOURCE_IDLE_MS: '86400000',
  // Every partition of every service is a stream of transactions of its own, which keep the broker on this machine as busy as themselves.
  MILLWRIGHT_PARTITIONS: String(Math.max(1, Math.floor(availableParallelism() / 2))),
};

type Progress = (line: string) => void;

/** p99 at half of the highest load that is held, by round. */
async function atHalfLoad(line: MeasuredLine, data: PumpData, progress: Progress): Promise<number[]> {
  const latency = new AlarmLatency(line, data);
  await latency.open();
  try {
    const half = (await latency.highestRate(progress)) / 2;
    const p99: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const { latencies, unanswered } = await latency.run(half, ROUND_SECONDS);
      p99.push(quantile(latencies, 0.99));
      progress(`at ${Math.round(half)} windows/s: p50 ${quantile(latencies, 0.5).toFixed(1)} ms, p99 ${p99.at(-1)!.toFixed(1)} ms of ${latencies.length} alarms (${unanswered} windows changed none)`);
    }
    return p99;
  } finally {
    await latency.close();
  }
}

async function embedded(folder: string, plantPath: string, progress: Progress): Promise<number[]> {
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
    return await atHalfLoad(line, new PumpData(plant, SOURCE), progress);
  } finally {
    await standalone.close();
    await telemetry.shutdown();
  }
}

async function onKafka(folder: string, plantPath: string, progress: Progress): Promise<{ readonly p99: number[]; readonly bareP99: number }> {
  const [broker, redis] = await Promise.all([startKafka(), startRedis()]);
  const servers = { brokers: broker.brokers, redisUrl: redis.url };
  const log = openKafkaLog({ brokers: broker.brokers, clientId: 'bench', logger: quiet(progress) });
  const services: ServiceProcess[] = [];
  let publisher: GrpcPublisher | undefined;
  try {
    const before = await roundTrips(broker.brokers, ROUND_TRIPS);
    for (const name of SERVICES) services.push(new ServiceProcess(name, 1, folder, plantPath, servers, false, SETTINGS));
    await Promise.all(services.map((service) => service.ready()));
    publisher = new GrpcPublisher({ address: services[0]!.grpc, source: SOURCE, logger: quiet(progress), onRefusal: ({ description }) => progress(description) });
    const sender = publisher;
    const p99 = await atHalfLoad({ log, publish: (step) => sender.publish(step) }, new PumpData(loadPlant(plantPath), SOURCE), progress);
    await sender.flush();
    sender.close();
    await Promise.all(services.splice(0).map((service) => service.stop()));
    const bare = [...before, ...(await roundTrips(broker.brokers, ROUND_TRIPS))];
    const bareP99 = quantile(bare, 0.99);
    progress(`bare round trip: p50 ${quantile(bare, 0.5).toFixed(1)} ms, p99 ${bareP99.toFixed(1)} ms`);
    return { p99, bareP99 };
  } finally {
    publisher?.close();
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
      const figures: Figure[] = [figure('latency_p99_embedded_ms', await embedded(folder, plantPath, progress), 150, 'lower', 'ms')];
      const { p99, bareP99 } = await onKafka(folder, plantPath, progress);
      figures.push(figure('latency_p99_kafka_ms', p99, 250, 'lower', 'ms'));
      figures.push(figure('latency_vs_roundtrip', p99.map((value) => value / (HOPS * bareP99)), 3, 'lower', 'ratio'));
      return figures;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
