import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { FeatureVector, Finding, ProductionRecord, TelemetryBlock, TOPICS, unpackFloat64, WATERMARK_SCHEMA } from '@millwright/contracts';
import type { Plant } from '@millwright/plant';
import { startRedis } from '@millwright/servers';
import { createQualityProcessor } from '@millwright/service-quality';
import { topicSpecs } from '@millwright/shell';
import { openKafkaLog, partitionFor, PureRun, type EventLog, type NewRecord } from '@millwright/streams';
import { PARTITIONS, quiet, startBroker } from '../broker.js';
import { figure, type Measurement } from '../figure.js';
import { inspections } from '../inspections.js';
import { MOTOR_PLANT, motorPlant, secondOf } from '../motors.js';
import { kafkaStreams } from '../peers/kafka-streams.js';
import { MissingPeerError, type Peer } from '../peers/peer.js';
import { quix } from '../peers/quix.js';
import { cpuSeconds, peerWorker, serviceWorker, type Worker } from '../peers/worker.js';

/** Share of a segment's outputs before the clock starts: both are started anew for each segment and compile as they go. */
const WARM_UP = 0.4;
/** Largest difference of two values, relative to the larger one, and absolute near 0. */
const RELATIVE = 1e-6;
const ABSOLUTE = 1e-9;
const PATIENCE_MS = 180_000;
const SOURCE = 'bench';

type Progress = (line: string) => void;

/** Records to be put in the topic at once, and how many outputs they give rise to. */
interface Segment {
  readonly batches: Iterable<readonly NewRecord[]>;
  outputs(): number;
}

/** A job that both sides do. */
interface Job {
  readonly job: 'features' | 'spc';
  readonly service: 'features' | 'quality';
  readonly input: string;
  readonly output: string;
  readonly unit: string;
  segment(plant: Plant, index: number, seconds: number): Segment;
  /** What is compared: a name for each output, and its numbers. */
  read(value: Uint8Array): readonly [string, readonly number[]];
}

const FEATURES: Job = {
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
const SPC: Job = {
  job: 'spc',
  service: 'quality',
  input: TOPICS.production.name,
  output: TOPICS.quality.name,
  unit: 'findings',
  segment: (plant, index, seconds) => {
    let expected = 0;
    function* batches(): Generator<NewRecord[]> {
      for (let second = index * seconds; second < (index + 1) * seconds; second++) {
        const records = [...inspections(plant, SOURCE, second, second + 1)].map((record): NewRecord => ({
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
class Outputs {
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
interface Rates {
  readonly perSecond: number;
  readonly perCpuSecond: number;
}

/** Starts a worker, lets it work off the segment, and measures it from the warm-up's last output to the last of all. */
async function workOff(worker: Worker, outputs: Outputs, expected: number): Promise<Rates> {
  const before = outputs.count;
  const running = await worker.start();
  try {
    await Promise.race([outputs.reach(before + Math.floor(WARM_UP * expected)), running.died]);
    const began = { count: outputs.count, atMs: outputs.atMs, cpu: cpuSeconds(running.pid) };
    await Promise.race([outputs.reach(before + expected), running.died]);
    const cpu = cpuSeconds(running.pid) - began.cpu;
    const count = outputs.count - began.count;
    return { perSecond: count / ((outputs.atMs - began.atMs) / 1000), perCpuSecond: count / cpu };
  } finally {
    await running.stop();
    if (outputs.count > before + expected) throw new Error(`${worker.name} wrote ${outputs.count - before} outputs where ${expected} were expected`);
  }
}

/** @throws when two workers did not write the same. */
function compare(job: Job, names: readonly [string, string], [ours, theirs]: readonly [readonly Uint8Array[], readonly Uint8Array[]]): number {
  const expected = new Map(ours.map((value) => job.read(value)));
  if (expected.size !== ours.length || theirs.length !== ours.length) throw new Error(`${names[0]} wrote ${expected.size} different ${job.unit}, ${names[1]} ${theirs.length}: nothing is timed`);
  let largest = 0;
  for (const value of theirs) {
    const [name, numbers] = job.read(value);
    const own = expected.get(name);
    if (own === undefined) throw new Error(`${names[1]} wrote ${name}, ${names[0]} did not: nothing is timed`);
    numbers.forEach((number, i) => {
      const difference = Object.is(number, own[i]) ? 0 : Math.abs(number - own[i]!);
      const bound = Math.max(ABSOLUTE, RELATIVE * Math.max(Math.abs(number), Math.abs(own[i]!)));
      if (!(difference <= bound)) throw new Error(`${name}, number ${i}: ${names[0]} has ${own[i]}, ${names[1]} ${number}: nothing is timed`);
      if (difference > 0) largest = Math.max(largest, difference / Math.max(ABSOLUTE / RELATIVE, Math.abs(number)));
    });
  }
  return largest;
}

/**
 * A service of this project against a peer on the same topic and broker: segment by segment, each is started, works the
 * segment off and is stopped, in turns as to who comes first. The first segment is compared, not timed.
 */
function peerMeasurement(job: Job, peer: Peer, { rounds, seconds, goal }: { readonly rounds: number; readonly seconds: number; readonly goal: number }): Measurement {
  const name = `${job.job}_vs_${peer.id}`;
  return {
    figures: [name, `${name}_cpu`],
    what: `${job.job === 'spc' ? 'Control charts' : 'Features'} on Kafka, exactly once: the ${job.service} service against ${peer.name}, ${job.unit} by the clock and by processor time`,
    async measure(progress: Progress) {
      let command;
      try {
        command = await peer.prepare(progress);
      } catch (error) {
        if (!(error instanceof MissingPeerError)) throw error;
        progress(error.message);
        return [];
      }
      const folder = mkdtempSync(join(tmpdir(), 'millwright-bench-'));
      const [broker, redis] = await Promise.all([startBroker(), startRedis()]);
      const log = openKafkaLog({ brokers: broker.brokers, clientId: 'bench', logger: quiet(progress) });
      try {
        const plant = motorPlant();
        const output = `bench.${peer.id}.${job.job}`;
        await log.createTopics([...topicSpecs(PARTITIONS), { name: output, partitions: PARTITIONS, retentionMs: 86_400_000, compacted: false }]);
        const peerFolder = join(folder, peer.id);
        mkdirSync(peerFolder);
        const ours = serviceWorker(job.service, job.output, folder, MOTOR_PLANT, { brokers: broker.brokers, redisUrl: redis.url });
        const theirs = peerWorker(
          peer.name, command,
          { job: job.job, brokers: broker.brokers, name: `bench-${peer.id}-${job.job}`, input: job.input, output, folder: peerFolder, threads: availableParallelism(), commitMs: peer.commitMs },
          plant,
        );
        const [own, other] = [await Outputs.of(log, ours.output), await Outputs.of(log, theirs.output)];
        const ratios: number[] = [];
        const cpuRatios: number[] = [];
        for (let round = 0; round <= rounds; round++) {
          const segment = job.segment(plant, round, seconds);
          for (const batch of segment.batches) await log.append(batch);
          const expected = segment.outputs();
          if (round === 0) [own.collected, other.collected] = [[], []];
          const measured = new Map<Worker, Rates>();
          const turns = [[ours, own], [theirs, other]] as const;
          for (const [worker, outputs] of round % 2 === 0 ? turns : turns.toReversed()) measured.set(worker, await workOff(worker, outputs, expected));
          const [mine, its] = [measured.get(ours)!, measured.get(theirs)!];
          progress(`${[ours, theirs].map((worker) => `${worker.name} ${Math.round(measured.get(worker)!.perSecond)} ${job.unit}/s, ${Math.round(measured.get(worker)!.perCpuSecond)} a CPU second`).join('; ')}${round === 0 ? ' (not counted)' : ''}`);
          if (round === 0) {
            const largest = compare(job, [ours.name, theirs.name], [own.collected!, other.collected!]);
            progress(`${expected} ${job.unit} are the same, the largest relative difference is ${largest.toExponential(1)}`);
            own.collected = other.collected = undefined;
            continue;
          }
          ratios.push(mine.perSecond / its.perSecond);
          cpuRatios.push(mine.perCpuSecond / its.perCpuSecond);
        }
        return [figure(name, ratios, goal, 'higher', 'ratio'), figure(`${name}_cpu`, cpuRatios, goal, 'higher', 'ratio')];
      } finally {
        await log.close();
        await Promise.all([broker.stop(), redis.stop()]);
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}

export const peerMeasurements: readonly Measurement[] = [
  peerMeasurement(FEATURES, kafkaStreams, { rounds: 5, seconds: 240, goal: 1 }),
  peerMeasurement(FEATURES, quix, { rounds: 3, seconds: 120, goal: 5 }),
  peerMeasurement(SPC, kafkaStreams, { rounds: 5, seconds: 600, goal: 1 }),
  peerMeasurement(SPC, quix, { rounds: 3, seconds: 200, goal: 5 }),
];
