import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { TelemetryBlock, TOPICS } from '@millwright/contracts';
import type { Plant } from '@millwright/plant';
import { createFeaturesProcessor } from '@millwright/service-features';
import { topicSpecs } from '@millwright/shell';
import { FeatureExtractor, REFERENCE_WINDOWS, type SignalWindow } from '@millwright/signal';
import { MemoryStateStore, openKafkaLog, partitionFor, runProcessor, type EventLog, type NewRecord } from '@millwright/streams';
import { PARTITIONS, quiet, startBroker } from '../broker.js';
import { figure, type Measurement } from '../figure.js';
import { motorPlant, secondOf, speeds, waves } from '../motors.js';

const ROUNDS = 5;
/** Event time of the telemetry that is read in a round: 24 motors x 10 windows a second. */
const SECONDS = 400;

/** What lies in the topic. */
interface Load {
  readonly records: number;
  readonly windows: number;
  readonly samples: number;
}

async function produce(log: EventLog, plant: Plant): Promise<Load> {
  let [records, windows, samples] = [0, 0, 0];
  const { name: topic, schema } = TOPICS.telemetry;
  for (let second = 0; second < SECONDS; second++) {
    const batch = [...secondOf(plant, 'bench', second)].map((block): NewRecord => {
      const { asset: key, source, sequence, startUs, count, signals } = block;
      records++;
      samples += count;
      if (signals[0]?.signal === 'vibration') windows++;
      return { topic, partition: partitionFor(key, PARTITIONS), key, value: TelemetryBlock.encode(block).finish(), timeMs: Math.floor(startUs / 1000), headers: { schema, source, sequence } };
    });
    await log.append(batch);
  }
  return { records, windows, samples };
}

/**
 * Limit, first part: a consumer that only counts. It has a process of its own, since in this one kafkajs is already as Millwright uses it.
 */
class BareConsumer {
  readonly #child: ChildProcess;

  constructor(brokers: readonly string[]) {
    this.#child = fork(new URL('bare-consumer.js', import.meta.url), [...brokers], { execArgv: ['--no-warnings'] });
  }

  /** Seconds from joining its group to the last record. */
  async consume(group: string, records: number): Promise<number> {
    this.#child.send({ group, records });
    const died = once(this.#child, 'exit').then(([code]) => {
      throw new Error(`the bare consumer ended with exit code ${String(code)}`);
    });
    const [seconds] = (await Promise.race([once(this.#child, 'message'), died])) as [number];
    return seconds;
  }

  close(): void {
    this.#child.disconnect();
  }
}

/** Limit, second part: the feature function on the same blocks in memory. */
function extract(plant: Plant, { windows }: Load): number {
  const extractor = new FeatureExtractor(plant.kinds.get('motor')!);
  const out = new Float64Array(extractor.names.length);
  const references = Array.from({ length: REFERENCE_WINDOWS }, (_, i) => Float64Array.of(0.01 * Math.sin(i), 1480 + (i % 10)));
  const blocks = waves.map((values, i): SignalWindow[] => [{ values }, { values: speeds.subarray(i % 10, (i % 10) + 1) }]);
  const began = performance.now();
  for (let i = 0; i < windows; i++) extractor.extract(blocks[i % blocks.length]!, references, out);
  return (performance.now() - began) / 1000;
}

/** The real thing: from joining the group to the commit of the last record. */
async function process(log: EventLog, plant: Plant, group: string, { records }: Load, progress: (line: string) => void): Promise<number> {
  const store = new MemoryStateStore();
  const run = await runProcessor({ ...createFeaturesProcessor(plant), name: group }, { log, store, logger: quiet(progress) });
  const began = performance.now();
  const processed = (): number => run.status().ledger.reduce((sum, entry) => sum + entry.processed, 0);
  while (processed() < records) await delay(5);
  const seconds = (performance.now() - began) / 1000;
  await run.close();
  return seconds;
}

export const featuresMeasurement: Measurement = {
  figures: ['features_vs_limit', 'features_samples_per_s'],
  what: 'Features: blocks of 1,024 samples from Kafka through all features into transactions, against a bare consumer and the bare function',
  async measure(progress) {
    const plant = motorPlant();
    const broker = await startBroker();
    const log = openKafkaLog({ brokers: broker.brokers, clientId: 'bench', logger: quiet(progress) });
    const bare = new BareConsumer(broker.brokers);
    try {
      await log.createTopics(topicSpecs(PARTITIONS));
      const load = await produce(log, plant);
      progress(`${load.records} records with ${load.windows} windows of vibration are in the topic`);
      const ratios: number[] = [];
      const rates: number[] = [];
      // The first round warms up.
      for (let round = 0; round <= ROUNDS; round++) {
        const reading = await bare.consume(`bench-bare-${round}`, load.records);
        const computing = extract(plant, load);
        const real = await process(log, plant, `bench-features-${round}`, load, progress);
        progress(`consumer ${reading.toFixed(2)} s + function ${computing.toFixed(2)} s, processor ${real.toFixed(2)} s`);
        if (round === 0) continue;
        ratios.push((reading + computing) / real);
        rates.push(load.samples / real);
      }
      return [figure('features_vs_limit', ratios, 0.7, 'higher', 'ratio'), figure('features_samples_per_s', rates, 10e6, 'higher', 'samples/s')];
    } finally {
      bare.close();
      await log.close();
      await broker.stop();
    }
  },
};
