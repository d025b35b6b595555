import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TOPICS, type SourceStep } from '@millwright/contracts';
import { recordedInput, STEP_S, type RecordedInput } from './recorded-input.js';
import { Line, PARTITIONS } from './line.js';
import { mostMiB } from './memory.js';
import { untilReached } from './progress.js';
import type { Recording } from './recording.js';
import type { Stage } from './case.js';

export const INSTANCES = 2;

/** Seconds of a case that is a part of the whole. */
export const part = ({ seconds }: Stage): number => Math.max(30, seconds / 5);

/** How far input goes ahead of the output at full speed, microseconds of event time: far enough that all are busy. */
const LEAD_US = 400e6;
/** Marks of event time after the end, and what lies between them: a timer that is set while time passes may wait for the next mark. */
const MARKS = 4;
const MARK_US = 10e6;

/** What came of playing the input to its end. */
export interface Played {
  readonly recording: Recording;
  /** What should not have happened, a sentence each: by the services' ledgers, by the numbers of the output, or otherwise. */
  readonly failures: readonly string[];
  /** Records of the input that are missing by the ledgers. */
  readonly lost: number;
}

/** Played to the end, and past it. */
export interface Finished extends Played {
  /** Event time that the log ends at, microseconds. */
  readonly endUs: number;
}

/** An undisturbed run, and the pace that the cases take from it. */
export interface Reference extends Played {
  readonly input: RecordedInput;
  /** Steps of the input. */
  readonly steps: number;
  /** Steps a second that the line held at full speed. */
  readonly capacity: number;
  /** The most that a process of each service took at full speed, MiB, by service. */
  readonly mostMiB: ReadonlyMap<string, number>;
}

const references = new Map<string, Promise<Reference>>();
let folderOfReferences: string | undefined;
let hasFailed = false;

/**
 * Plays as much input as lasts for `seconds` at half of full speed, undisturbed at full speed; cases of the same length and seed share it.
 */
export function reference(stage: Stage, seconds: number): Promise<Reference> {
  const id = `${stage.seed}-${seconds}`;
  let found = references.get(id);
  if (found === undefined) references.set(id, (found = playUndisturbed(join(referenceFolder(), id), stage, seconds)));
  return found;
}

/** Kept for all cases, and gone when this process ends, unless an undisturbed run failed. */
function referenceFolder(): string {
  if (folderOfReferences === undefined) {
    const folder = (folderOfReferences = mkdtempSync(join(tmpdir(), 'millwright-proof-')));
    process.once('exit', () => {
      if (!hasFailed) rmSync(folder, { recursive: true, force: true });
    });
  }
  return folderOfReferences;
}

async function playUndisturbed(folder: string, { seed, progress }: Stage, seconds: number): Promise<Reference> {
  const input = recordedInput(join(folder, 'plant'), seed);
  progress('undisturbed run at full speed: the output to compare with, and the pace');
  const line = await Line.start({ folder, plantPath: input.plantPath, source: input.source, instances: INSTANCES });
  const end = new AbortController();
  const memory = mostMiB(line, end.signal);
  try {
    const began = performance.now();
    let steps = 0;
    for (const step of input.steps(Infinity)) {
      await line.publish(step);
      steps++;
      while (step.advanceToUs - line.outputs.reachedUs > LEAD_US && line.outputs.reachedUs > -Infinity) await delay(5);
      if (performance.now() - began > seconds * 500) break;
    }
    await untilReached(() => line.statuses(), PARTITIONS, input.endUs(steps));
    const capacity = steps / ((performance.now() - began) / 1000);
    end.abort();
    const most = await memory;
    const played = await finish(line, input, steps);
    progress(`${steps * STEP_S} s of event time at ${(capacity * STEP_S).toFixed(0)} times the speed of the clock; output: ${summary(played.recording)}`);
    return { ...played, input, steps, capacity, mostMiB: most };
  } catch (error) {
    hasFailed = true;
    progress(`the files of the undisturbed run are kept in ${folder}`);
    throw error;
  } finally {
    end.abort();
    await line.close();
    rmSync(join(folder, 'kafka'), { recursive: true, force: true });
  }
}

/** Plays the input of the reference at half of full speed; `progress` is told after each step how many seconds of it are left. */
export async function playAtHalfLoad(line: Line, { input, steps, capacity }: Reference, progress: (remaining: number) => void): Promise<void> {
  const pace = capacity / 2;
  const began = performance.now();
  let played = 0;
  for (const step of input.steps(steps)) {
    const wait = began + (++played / pace) * 1000 - performance.now();
    if (wait > 1) await delay(wait);
    await line.publish(step);
    progress((steps - played) / pace);
    if (line.failures.length > 0) throw new Error(line.failures[0]);
  }
}

/** Lets the line work off what is left, looks at its books, ends its services and reads its output to the end. */
export async function finish(line: Line, input: RecordedInput, steps: number): Promise<Finished> {
  await line.ready();
  const endUs = await letTimePass(line, input.epilogue(steps));
  await line.flush();
  const sums = await ledgers(line);
  await line.stopServices();
  await line.outputs.complete();
  const { recording } = line.outputs;
  const sent = countRecords(input, steps);
  const balance = balanceOf(sums, (topic) => sent.get(topic) ?? recording.count(topic));
  return { recording, failures: [...line.failures, ...balance.failures, ...recording.misnumbered.slice(0, 3)], lost: balance.lost, endUs };
}

/** Has everything happen that time alone brings about, and returns the event time of the last mark, which every processor has reached. */
async function letTimePass(line: Line, { advanceToUs }: SourceStep): Promise<number> {
  let lastUs = advanceToUs;
  const mark = (timeUs: number): Promise<void> => line.publish({ blocks: [], production: [], advanceToUs: (lastUs = timeUs) });
  const reached = (): Promise<void> => untilReached(() => line.statuses(), PARTITIONS, lastUs);
  for (let i = 0; i < MARKS; i++) {
    await mark(i === 0 ? advanceToUs : lastUs + MARK_US);
    // As in life, time goes on meanwhile.
    const done = new AbortController();
    const reaching = reached().finally(() => done.abort());
    while (await delay(1_000, true, { signal: done.signal }).catch(() => false)) await mark(lastUs + 1_000_000);
    await reaching;
  }
  await reached();
  return lastUs;
}

/** Records of the input by topic. */
function countRecords(input: RecordedInput, steps: number): ReadonlyMap<string, number> {
  let [telemetry, records] = [0, 0];
  for (const { blocks, production } of input.steps(steps)) {
    telemetry += blocks.length;
    records += production.length;
  }
  return new Map([[TOPICS.telemetry.name, telemetry], [TOPICS.production.name, records]]);
}

/** Holds the ledgers against what came in. */
function balanceOf(sums: Ledgers, expected: (topic: string) => number): { readonly failures: string[]; readonly lost: number } {
  const failures: string[] = [];
  let lost = 0;
  for (const [processor, topics] of sums) {
    for (const [topic, { taken, processed, late, deadLettered, repeated, missing }] of topics) {
      const unread = expected(topic) - processed - late - deadLettered;
      const unaccounted = taken - processed - late - deadLettered - repeated;
      lost += Math.max(0, unread, unaccounted);
      if (unread !== 0 || unaccounted !== 0 || missing > 0) {
        failures.push(`${processor} processed ${processed} of ${expected(topic)} records of ${topic} (${late} late, ${deadLettered} bad, ${repeated} repeated, ${missing} missing by their numbers)`);
      } else if (late + deadLettered > 0) failures.push(`${processor} found ${late} records of ${topic} late and ${deadLettered} bad, where none is`);
    }
  }
  return { failures, lost };
}

interface Sum {
  taken: number;
  processed: number;
  late: number;
  deadLettered: number;
  repeated: number;
  missing: number;
}

/** Sums over the partitions, by processor and topic. */
type Ledgers = ReadonlyMap<string, ReadonlyMap<string, Sum>>;

async function ledgers(line: Line): Promise<Ledgers> {
  const sums = new Map<string, Map<string, Sum>>();
  for (const { processor, ledger } of await line.statuses()) {
    const topics = sums.get(processor) ?? new Map<string, Sum>();
    sums.set(processor, topics);
    for (const entry of ledger) {
      const sum = topics.get(entry.topic) ?? { taken: 0, processed: 0, late: 0, deadLettered: 0, repeated: 0, missing: 0 };
      topics.set(entry.topic, sum);
      sum.taken += entry.in;
      for (const name of ['processed', 'late', 'deadLettered', 'repeated', 'missing'] as const) sum[name] += entry[name];
    }
  }
  return sums;
}

/** What came out, for people. */
export function summary(recording: Recording): string {
  const topics = [TOPICS.features, TOPICS.inferences, TOPICS.quality, TOPICS.alarms];
  return topics.map(({ name }) => `${recording.count(name)} ${name}`).join(', ');
}
