import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { AlarmCommand, deadLetterTopic, FeatureVector, Finding, InferenceResult, ProductionRecord, TelemetryBlock, TOPICS, type MessageFns, type SourceStep } from '@millwright/contracts';
import { loadPlant, type Plant } from '@millwright/plant';
import { openEmbeddedLog, type LogRecord } from '@millwright/streams';
import type { Case, Stage, Verdict } from '../case.js';
import { changedDemoPlant, demoPlant } from '../demo.js';
import { InProcessLine, judge, readData, readFrom, recorded, simulated, undisturbed } from '../in-process.js';
import { recordedInput } from '../recorded-input.js';
import type { Recording } from '../recording.js';

const STEPS = 15;
/** Steps after which the line is stopped, changed and started again. */
const RESTART_AT = 8;
/** The same where windows change in the demo plant, which goes by the second. */
const SECONDS = 60;
const CHANGE_AT = 34;

/** Ways in which a checkpoint may not be what this version writes, in the file of the embedded log. */
const CHECKPOINTS: readonly { readonly what: string; readonly sql: readonly string[]; readonly said: RegExp }[] = [
  { what: 'of an earlier state version', sql: ['UPDATE checkpoints SET state_version = 0'], said: /can't be used \(\w+ state: version 0 is not 1, .*\): its state is rebuilt from the log/ },
  { what: 'of a later state version', sql: ['UPDATE checkpoints SET state_version = 99'], said: /can't be used \(\w+ state: version 99 is not 1, .*\): its state is rebuilt from the log/ },
  { what: 'of another format', sql: [`UPDATE checkpoints SET system = CAST('{"version":2}' AS BLOB)`], said: /can't be used \(checkpoint of \S+ has format 2, this version reads 1\): its state is rebuilt from the log/ },
  { what: 'that is no checkpoint', sql: ["UPDATE checkpoints SET system = x'00ff'"], said: /can't be used \(.+\): its state is rebuilt from the log/ },
  { what: 'whose entries are cut', sql: ['UPDATE checkpoint_entries SET value = substr(value, 1, length(value) - 9)'], said: /can't be used \(.+\): its state is rebuilt from the log/ },
  { what: 'that is gone', sql: ['DELETE FROM checkpoints', 'DELETE FROM checkpoint_entries'], said: /there is no checkpoint of \S+: its state is rebuilt from the log/ },
];

/** Windows of all kinds as the changed plant file has them. */
const CHANGES = [
  ['window: { length: 200ms, hop: 1s, grace: 2s }', 'window: { length: 200ms, hop: 2s, grace: 2s }'],
  ['window: { length: 32s, hop: 4s, grace: 4s }', 'window: { length: 12s, hop: 4s, grace: 4s }'],
  ['window: { length: 10s, hop: 10s, grace: 10s }', 'window: { length: 4s, hop: 2s, grace: 10s }'],
] as const;

export const upgrade: Case = {
  name: 'upgrade',
  claim: 'Records, checkpoints and log files of other versions, and windows that change in the plant file, are taken over or refused with a sentence, never silently wrong.',
  async run(stage: Stage): Promise<Verdict> {
    const input = recordedInput(join(stage.folder, 'plant'), stage.seed);
    const plant = loadPlant(input.plantPath);
    const steps = [...input.steps(STEPS), input.epilogue(STEPS)];
    stage.progress('undisturbed run');
    const expected = await undisturbed({ plant, on: ':memory:' }, steps, join(stage.folder, 'expected'));
    const failures = [...messages(steps, expected), ...(await logFile(stage))];
    const verdicts: Verdict[] = [];
    for (const [i, checkpoint] of CHECKPOINTS.entries()) {
      stage.progress(`restart on a checkpoint ${checkpoint.what}`);
      verdicts.push(await onCheckpoint(plant, steps, expected, checkpoint, join(stage.folder, `checkpoint-${i}`)));
    }
    for (const lost of [false, true]) {
      stage.progress(`restart with other windows in the plant file${lost ? ', and without checkpoints' : ''}`);
      verdicts.push(await withOtherWindows(join(stage.folder, lost ? 'windows-lost' : 'windows'), lost));
    }
    return {
      killed: verdicts.length,
      lost: verdicts.reduce((sum, { lost }) => sum + lost, 0),
      duplicated: verdicts.reduce((sum, { duplicated }) => sum + duplicated, 0),
      identical: verdicts.every(({ identical }) => identical),
      failures: [...failures, ...verdicts.flatMap((verdict) => verdict.failures)],
    };
  },
};

/** A message of a later minor version has fields that this one doesn't know: they change nothing. What says that it is of a later major version goes to the dead letters; see the case poison. */
function messages(steps: readonly SourceStep[], results: Recording): string[] {
  const samples: [string, MessageFns<unknown>, Uint8Array | undefined][] = [
    [TOPICS.telemetry.name, TelemetryBlock as MessageFns<unknown>, TelemetryBlock.encode(steps[0]!.blocks[0]!).finish()],
    [TOPICS.production.name, ProductionRecord as MessageFns<unknown>, steps.flatMap(({ production }) => production).map((each) => ProductionRecord.encode(each).finish())[0]],
    [TOPICS.features.name, FeatureVector as MessageFns<unknown>, firstOf(results, TOPICS.features.name)],
    [TOPICS.inferences.name, InferenceResult as MessageFns<unknown>, firstOf(results, TOPICS.inferences.name)],
    [TOPICS.quality.name, Finding as MessageFns<unknown>, firstOf(results, TOPICS.quality.name)],
    [TOPICS.alarmCommands.name, AlarmCommand as MessageFns<unknown>, AlarmCommand.encode(AlarmCommand.fromPartial({ asset: 'P-102', timeUs: 1 })).finish()],
  ];
  return samples.flatMap(([topic, codec, value]) => {
    if (value === undefined) return [`${topic}: there is no message to try it with`];
    const later = Buffer.concat([value, UNKNOWN_FIELD]);
    const known = Buffer.from(codec.encode(codec.decode(value)).finish());
    return known.equals(codec.encode(codec.decode(later)).finish()) ? [] : [`${topic}: a message with a field that this version does not know is read as another`];
  });
}

/** Field 1000, three bytes. */
const UNKNOWN_FIELD = Uint8Array.of(0xc2, 0x3e, 3, 1, 2, 3);

function firstOf(results: Recording, topic: string): Buffer | undefined {
  for (const chain of results.chains()) if (chain.topic === topic) return results.value(chain, 0);
  return undefined;
}

async function logFile(stage: Stage): Promise<string[]> {
  const file = join(stage.folder, 'later.sqlite');
  await openEmbeddedLog(file).close();
  edit(file, ['PRAGMA user_version = 2']);
  try {
    await openEmbeddedLog(file).close();
  } catch (error) {
    return /has event log format 2, this version reads 1: use the version that wrote it, or move the file away$/.test((error as Error).message) ? [] : [`a log file of a later format is refused without saying what to do: ${(error as Error).message}`];
  }
  return ['a log file of a later format is taken for one of this'];
}

function edit(file: string, statements: readonly string[]): void {
  const database = new DatabaseSync(file);
  for (const statement of statements) database.exec(statement);
  database.close();
}

async function onCheckpoint(plant: Plant, steps: readonly SourceStep[], expected: Recording, { what, sql, said }: (typeof CHECKPOINTS)[number], path: string): Promise<Verdict> {
  const failures: string[] = [];
  const on = `${path}.sqlite`;
  await play(plant, on, steps.slice(0, RESTART_AT));
  edit(on, sql);
  const logFile = `${path}.log`;
  await play(plant, on, steps.slice(RESTART_AT), logFile);
  if (!said.test(messagesIn(logFile))) failures.push(`a checkpoint ${what}: the log does not say ${said.source}`);
  const actual = await readFrom(on, (log) => recorded(log, `${path}.values`));
  const judged = judge(expected, actual, { killed: 1, failures });
  return { ...judged, failures: judged.failures.map((each) => (each.startsWith('a checkpoint') ? each : `on a checkpoint ${what}: ${each}`)) };
}

/**
 * After the change all windows, and judgements of them, must be those that a line of the new plant file gives: without a past, on the
 * data from then on; or where the checkpoints are lost and the state is rebuilt from the log, on all data.
 */
async function withOtherWindows(path: string, rebuilt: boolean): Promise<Verdict> {
  const failures: string[] = [];
  const plant = demoPlant();
  const steps = simulated(plant, SECONDS);
  const changed = changedDemoPlant(...CHANGES);
  const on = `${path}.sqlite`;
  await play(plant, on, steps.slice(0, CHANGE_AT));
  if (rebuilt) edit(on, ['DELETE FROM checkpoints', 'DELETE FROM checkpoint_entries']);
  const repeated = await play(changed, on, steps.slice(CHANGE_AT));
  if (repeated > 0) failures.push(`other windows: ${repeated} records were dropped as repeated, for they had the numbers of others`);
  const fresh = `${path}-fresh.sqlite`;
  await play(changed, fresh, rebuilt ? steps : steps.slice(CHANGE_AT));
  const changeMs = steps[CHANGE_AT - 1]!.advanceToUs / 1000;
  const read = async (file: string, after: boolean): Promise<string[]> => {
    const records = await readFrom(file, (log) => readData(log, [TOPICS.features.name, TOPICS.inferences.name]));
    return records.filter(({ timeMs }) => timeMs > changeMs === after).map(contents).sort();
  };
  const [found, wanted] = [await read(on, true), await read(fresh, true)];
  const lost = wanted.filter((each) => !found.includes(each)).length;
  const other = found.filter((each) => !wanted.includes(each)).length;
  if (lost > 0) failures.push(`other windows: ${lost} of ${wanted.length} windows and judgements after the change are missing, or others`);
  if (other > 0) failures.push(`other windows: ${other} windows and judgements after the change are none that the new plant file gives`);
  const recording = await readFrom(on, (log) => recorded(log, `${path}.values`));
  failures.push(...recording.misnumbered.slice(0, 3));
  const dead = await readFrom(on, (log) => readData(log, [TOPICS.telemetry, TOPICS.features, TOPICS.inferences, TOPICS.quality].map(({ name }) => deadLetterTopic(name))));
  if (dead.length > 0) failures.push(`other windows: ${dead.length} records of a line that had drained went to the dead letters`);
  return { killed: 1, lost, duplicated: found.length - new Set(found).size, identical: lost + other === 0, failures };
}

const contents = ({ topic, key, timeMs, value }: LogRecord): string => `${topic} ${key} ${timeMs} ${Buffer.from(value).toString('base64')}`;

/** Resolves to how many records were dropped as repeated. */
async function play(plant: Plant, on: string, steps: readonly SourceStep[], logFile?: string): Promise<number> {
  const line = await InProcessLine.start({ plant, on, ...(logFile === undefined ? {} : { logFile }) });
  try {
    for (const step of steps) await line.give(step);
    await line.drained();
    return line.sum('repeated');
  } finally {
    await line.close();
  }
}

const messagesIn = (logFile: string): string =>
  readFileSync(logFile, 'utf8').split('\n').filter((line) => line.startsWith('{')).map((line) => (JSON.parse(line) as { message: string }).message).join('\n');
