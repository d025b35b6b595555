import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedis } from '@millwright/servers';
import { topicSpecs } from '@millwright/shell';
import { openKafkaLog } from '@millwright/streams';
import { FEATURES, Outputs, SPC, workOff, type Job, type Rates } from '../backlog.js';
import { PARTITIONS, quiet, startBroker } from '../broker.js';
import { figure, type Measurement } from '../figure.js';
import { MOTOR_PLANT, motorPlant } from '../motors.js';
import { kafkaStreams } from '../peers/kafka-streams.js';
import { MissingPeerError, type Peer } from '../peers/peer.js';
import { quix } from '../peers/quix.js';
import { peerWorker, serviceWorker, type Worker } from '../peers/worker.js';

/** Largest difference of two values, relative to the larger one, and absolute near 0. */
const RELATIVE = 1e-6;
const ABSOLUTE = 1e-9;

type Progress = (line: string) => void;

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
      if (Object.is(number, own[i])) return;
      const difference = Math.abs(number - own[i]!);
      const size = Math.max(Math.abs(number), Math.abs(own[i]!), ABSOLUTE / RELATIVE);
      if (!(difference <= RELATIVE * size)) throw new Error(`${name}, number ${i}: ${names[0]} has ${own[i]}, ${names[1]} ${number}: nothing is timed`);
      largest = Math.max(largest, difference / size);
    });
  }
  return largest;
}

/**
 * A service of this project against a peer on the same topic and broker: segment by segment, each is started, works the
 * segment off and is stopped, in turns as to who comes first. Both work on partitions in as many threads. The first segment is compared, not timed.
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
        const ours = serviceWorker(job.service, peer.threads, job.output, folder, MOTOR_PLANT, { brokers: broker.brokers, redisUrl: redis.url });
        const theirs = peerWorker(
          peer.name, command,
          { job: job.job, brokers: broker.brokers, name: `bench-${peer.id}-${job.job}`, input: job.input, output, folder: peerFolder, threads: peer.threads, commitMs: peer.commitMs },
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
  peerMeasurement(FEATURES, kafkaStreams, { rounds: 3, seconds: 480, goal: 1 }),
  peerMeasurement(FEATURES, quix, { rounds: 3, seconds: 120, goal: 5 }),
  peerMeasurement(SPC, kafkaStreams, { rounds: 3, seconds: 1_200, goal: 1 }),
  peerMeasurement(SPC, quix, { rounds: 3, seconds: 200, goal: 5 }),
];
