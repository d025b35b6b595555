import { setTimeout as delay } from 'node:timers/promises';
import { FeatureVector, Finding, ProductionRecord, TelemetryBlock, TOPICS, unpackFloat64, WATERMARK_SCHEMA } from '@millwright/contracts';
import type { Plant } from '@millwright/plant';
import { createQualityProcessor } from '@millwright/service-quality';
import { partitionFor, PureRun, type EventLog, type NewRecord } from '@millwright/streams';
import { PARTITIONS } from './broker.js';
import { inspections } from './inspections.js';
import { secondOf } from './motors.js';
import type { Worker } from './peers/worker.js';

/** Share of a segment's outputs before the clock starts: both are started anew for each segment and compile as they go. */
const WARM_UP = 0.5;
const PATIENCE_MS = 180_000;
const SOURCE = 'bench';

/** Records to be put in the topic at once, and how many outputs they give rise to. */
export interface Segment {
  readonly batches: Iterable<readonly NewRecord[]>;
  outputs(): number;
}

/** A job that both sides do. */
export interface Job {
  readonly job: 'features' | 'spc';
  readonly service: 'features' | 'quality';
  readonly input: string;
  readonly output: string;
  readonly unit: string;
  segment(plant: Plant, index: number, seconds: number): Segment;
  /** What is compared: a name for each output, and its numbers. */
  read(value: Uint8Array): readonly [string, readonly number[]];
}

export const FEATURES: Job = {
  job: 'features',
  service: 'features',
  input: TOPICS.telemetry.name,
  output: TOPICS.features.name,
  unit: 'windows',
  segment(plant, index, seconds) {
    let windows = 0;
    function* batches(): Generator<NewRecord[]> {
      for (let second = index * seconds; second < (index + 1) * seconds; second++) {
        yield [...secondOf(plant, SOURCE, second)].map((block): NewRecord => {
          if (block.signals[0]?.signal === 'vibration') windows++;
          return { ...addressed(TOPICS.telemetry, block), value: TelemetryBlock.encode(block).finish(), timeMs: Math.floor(block.startUs / 1000) };
        });
      }
    }
    return { batches: batches(), outputs: () => windows };
  },
  read(value) {
    const { asset, windowStartUs, windowEndUs, revision, layout, missingRatio, values, silentSignals } = FeatureVector.decode(value);
    return [`${asset} ${windowEndUs} ${layout} ${silentSignals.join()}`, [windowStartUs, revision, missingRatio, ...unpackFloat64(values)]];
  },
};

/** Inspection after inspection: one at a time is what a production record is. */
export const SPC: Job = {
  job: 'spc',
  service: 'quality',
  input: TOPICS.production.name,
  output: TOPICS.quality.name,
  unit: 'findings',
  segment: (plant, index, seconds) => {
    let expected = 0;
    function* batches(): Generator<NewRecord[]> {
      for (let second = index * seconds; second < (index + 1) * seconds; second++) {
        const records = [...inspections(plant, SOURCE, second, second + 1 === (index + 1) * seconds)].map((record): NewRecord => ({
          ...addressed(TOPICS.production, record), value: ProductionRecord.encode(record).finish(), timeMs: Math.floor(record.timeUs / 1000),
        }));
        expected += reference(plant).push(records.map((record) => ({ ...record, schema: record.headers.schema }))).length;
        yield records;
      }
    }
    return { batches: batches(), outputs: () => expected };
  },
  read(value) {
    const { asset, chart, timeUs, finding, chartType, active, rules, value: shown, center, lowerLimit, upperLimit } = Finding.decode(value);
    return [`${asset} ${chart} ${timeUs} ${finding} ${chartType} ${active} ${rules.join()}`, [shown, center, lowerLimit, upperLimit]];
  },
};

/** Says how many findings there will be; goes on from segment to segment. */
const references = new WeakMap<Plant, PureRun>();
function reference(plant: Plant): PureRun {
  let run = references.get(plant);
  if (run === undefined) references.set(plant, (run = new PureRun(createQualityProcessor(plant, new Map()))));
  return run;
}

function addressed({ name, schema }: { readonly name: string; readonly schema: string }, { asset, source, sequence }: { readonly asset: string; readonly source: string; readonly sequence: number }) {
  return { topic: name, partition: partitionFor(asset, PARTITIONS), key: asset, headers: { schema, source, sequence } };
}

/** Sees what a worker has committed. */
export class Outputs {
  count = 0;
  atMs = 0;
  /** Values of the outputs, while they are collected. */
  collected: Uint8Array[] | undefined;

  static async of(log: EventLog, topic: string): Promise<Outputs> {
    const outputs = new Outputs();
    await log.tail({
      topics: [topic],
      from: 'latest',
      batch: ({ records }) => {
        outputs.atMs = performance.now();
        for (const { headers, value } of records) {
          if (headers.schema === WATERMARK_SCHEMA) continue;
          outputs.count++;
          outputs.collected?.push(value);
        }
      },
    });
    return outputs;
  }

  async reach(count: number): Promise<void> {
    const began = performance.now();
    while (this.count < count) {
      if (performance.now() - began > PATIENCE_MS) throw new Error(`${this.count} of ${count} outputs came within ${PATIENCE_MS / 1000} s`);
      await delay(2);
    }
  }
}

/** Outputs a second, by the clock and by processor time. */
export interface Rates {
  readonly perSecond: number;
  readonly perCpuSecond: number;
}

/** Starts a worker, lets it work off the segment, and measures it from the warm-up's last output to the last of all. */
export async function workOff(worker: Worker, outputs: Outputs, expected: number): Promise<Rates> {
  const before = outputs.count;
  const running = await worker.start();
  try {
    await Promise.race([outputs.reach(before + Math.floor(WARM_UP * expected)), running.died]);
    const began = { count: outputs.count, atMs: outputs.atMs, cpu: running.cpuSeconds() };
    await Promise.race([outputs.reach(before + expected), running.died]);
    const cpu = running.cpuSeconds() - began.cpu;
    const count = outputs.count - began.count;
    return { perSecond: count / ((outputs.atMs - began.atMs) / 1000), perCpuSecond: count / cpu };
  } finally {
    await running.stop();
    if (outputs.count > before + expected) throw new Error(`${worker.name} wrote ${outputs.count - before} outputs where ${expected} were expected`);
  }
}
