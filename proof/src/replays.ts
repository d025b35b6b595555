import { join } from 'node:path';
import { TOPICS, WATERMARK_SCHEMA } from '@millwright/contracts';
import { createLogger, noTelemetry } from '@millwright/observability';
import { loadPlant } from '@millwright/plant';
import { createFeaturesProcessor } from '@millwright/service-features';
import { DEFAULT_SETTINGS } from '@millwright/service-ingestion';
import { startStandalone } from '@millwright/service-standalone';
import { readEnvironment, shellEnvironment } from '@millwright/shell';
import { PureRun, type NewRecord } from '@millwright/streams';
import { copyInputs, readInputs, type InputRecord } from './copy.js';
import { Line, PARTITIONS, type LineOptions } from './line.js';
import { OUTPUTS } from './outputs.js';
import { untilReached } from './progress.js';
import { outputOf, Recording } from './recording.js';

/** The input topics of one Kafka, read at full speed by another line; to event time `untilUs`. */
export async function replayOnKafka(from: readonly string[], options: LineOptions, untilUs: number): Promise<Recording> {
  const line = await Line.start(options);
  try {
    await copyInputs(from, line.kafka.brokers);
    await untilReached(() => line.statuses(), PARTITIONS, untilUs);
    await line.stopServices();
    await line.outputs.complete();
    return line.outputs.recording;
  } finally {
    await line.close();
  }
}

/** The input topics of a Kafka, read by all services in this process from the embedded log. */
export async function replayEmbedded(from: readonly string[], { folder, plantPath }: Pick<LineOptions, 'folder' | 'plantPath'>, untilUs: number): Promise<Recording> {
  const { config } = readEnvironment(
    { config: shellEnvironment },
    { MILLWRIGHT_PLANT: plantPath, MILLWRIGHT_INSTANCE: 'proof', MILLWRIGHT_PARTITIONS: String(PARTITIONS), LISTEN_HOST: '127.0.0.1', GRPC_PORT: '0', HTTP_PORT: '0' },
  );
  const standalone = await startStandalone({
    plant: loadPlant(plantPath), config,
    file: join(folder, 'log.sqlite'),
    ingestion: { ...DEFAULT_SETTINGS, idleMs: Infinity },
    logger: createLogger({ service: 'proof', level: 'fatal' }),
    telemetry: noTelemetry,
  });
  const { log } = standalone;
  try {
    const recording = new Recording(join(folder, 'values.bin'));
    // From the first on, since of alarm-states only the last of each key is kept.
    const tail = await log.tail({
      topics: OUTPUTS,
      from: 'earliest',
      batch: ({ records }) => {
        for (const record of records) if (record.headers.schema !== WATERMARK_SCHEMA) recording.add(outputOf(record));
      },
    });
    await readInputs(from, (records) => log.append(records.map(asNewRecord)));
    await untilReached(() => Promise.resolve(standalone.statuses()), PARTITIONS, untilUs);
    await tail.caughtUp();
    await tail.close();
    return recording;
  } finally {
    await standalone.close();
  }
}

/** The telemetry of a Kafka, record by record through the features processor alone: no log, no store, no batches. */
export async function replayPure(from: readonly string[], { folder, plantPath }: Pick<LineOptions, 'folder' | 'plantPath'>): Promise<Recording> {
  const recording = new Recording(join(folder, 'values.bin'));
  const processor = createFeaturesProcessor(loadPlant(plantPath));
  const runs = Array.from({ length: PARTITIONS }, () => ({ run: new PureRun(processor), sequence: 0 }));
  await readInputs(from, (records) => {
    for (const record of records) {
      if (record.topic !== TOPICS.telemetry.name) continue;
      const { partition, key, value, timeMs, headers } = asNewRecord(record);
      const partitionRun = runs[partition]!;
      for (const { topic, key: asset, value: vector, timeMs: endMs, schema } of partitionRun.run.push([{ key, value, timeMs, ...headers }])) {
        recording.add({
          topic, partition, key: asset, value: Buffer.from(vector), timeMs: endMs, schema,
          source: `${processor.name}/${partition}/${record.topic}`,
          sequence: ++partitionRun.sequence,
        });
      }
    }
    return Promise.resolve();
  });
  return recording;
}

function asNewRecord({ topic, partition, message: { key, value, headers = {} } }: InputRecord): NewRecord {
  const text = (name: string): string => headers[name]?.toString() ?? '';
  return {
    topic, partition,
    key: key?.toString() ?? '',
    value: value ?? new Uint8Array(0),
    timeMs: Number(text('time')),
    headers: { schema: text('schema'), source: text('source'), sequence: Number(text('sequence')) },
  };
}
