import { join } from 'node:path';
import { AlarmCommand, DeadLetter, deadLetterTopic, FeatureVector, Finding, InferenceResult, ProductionRecord, TelemetryBlock, TOPICS, type MessageFns, type SourceStep, type Topic } from '@millwright/contracts';
import { loadPlant } from '@millwright/plant';
import { partitionFor, type EventLog, type RecordHeaders } from '@millwright/streams';
import kafkajs from 'kafkajs';
import type { Case, Stage, Verdict } from '../case.js';
import { InProcessLine, judge, readData, undisturbed, type LineOptions } from '../in-process.js';
import { openOwnKafka } from '../kafka.js';
import { recordedInput } from '../recorded-input.js';
import type { Recording } from '../recording.js';

const STEPS = 10;
/** Steps before which bad records are written. */
const EVERY = 3;
const PARTITIONS = 2;
const WRITER = 'somebody';
const ASSET = 'P-102';
/** Below what Kafka takes, above what fits a dead letter whole. */
const LARGE_BYTES = 1_040_000;

type Codec = MessageFns<{ asset: string }>;

/** Inputs of processors, how many read each, and what they hold. */
const INPUTS: readonly { readonly topic: Topic; readonly readers: number; readonly codec: Codec }[] = [
  { topic: TOPICS.telemetry, readers: 1, codec: TelemetryBlock as Codec },
  { topic: TOPICS.production, readers: 1, codec: ProductionRecord as Codec },
  { topic: TOPICS.features, readers: 3, codec: FeatureVector as Codec },
  { topic: TOPICS.inferences, readers: 2, codec: InferenceResult as Codec },
  { topic: TOPICS.quality, readers: 1, codec: Finding as Codec },
  { topic: TOPICS.alarmCommands, readers: 1, codec: AlarmCommand as Codec },
];

interface Poison {
  readonly what: string;
  readonly key: string;
  /** Null is what Kafka calls a tombstone. */
  readonly value: Uint8Array | null;
  readonly schema: string;
}

/** Bad records of every kind, made from a good one where there is one. */
function poisons({ topic: { schema }, codec }: (typeof INPUTS)[number], good: Uint8Array | undefined): Poison[] {
  const valid = good ?? codec.encode(codec.fromPartial({ asset: ASSET })).finish();
  const renamed = codec.encode({ ...codec.decode(valid), asset: 'X-999' }).finish();
  const bad = { key: ASSET, schema };
  return [
    { ...bad, what: 'corrupt', value: Uint8Array.of(0x0a, 0xff, 0x7f, 1, 2, 3) },
    { ...bad, what: 'truncated', value: valid.subarray(0, valid.length - 1) },
    { ...bad, what: 'empty', value: new Uint8Array() },
    { ...bad, what: 'null', value: null },
    { ...bad, what: 'oversized', value: new Uint8Array(LARGE_BYTES) },
    { ...bad, what: 'of a newer schema', value: valid, schema: schema.replace(/\.v1\./, '.v2.') },
    { ...bad, what: 'of another schema', value: valid, schema: 'millwright.stream.v1.DeadLetter' },
    { ...bad, what: 'of an unknown asset', key: 'X-999', value: renamed },
    { ...bad, what: 'under the key of another asset', value: renamed },
    { ...bad, what: 'with a key beyond all measure', key: 'k'.repeat(100_000), value: valid },
  ];
}

export const poison: Case = {
  name: 'poison',
  claim: 'A bad record goes to the dead letters with its reason, whatever is bad about it, and all else goes on as if it had not been there.',
  async run(stage: Stage): Promise<Verdict> {
    const input = recordedInput(join(stage.folder, 'plant'), stage.seed);
    const plant = loadPlant(input.plantPath);
    const steps = [...input.steps(STEPS), input.epilogue(STEPS)];
    stage.progress('undisturbed run');
    const expected = await undisturbed({ plant, on: ':memory:' }, steps, join(stage.folder, 'expected'));
    const good = goodRecords(steps, expected);
    const run = { plant, steps, expected, good };
    stage.progress('bad records on the embedded log');
    const embedded = await poisoned({ ...run, on: ':memory:', file: join(stage.folder, 'embedded') }, (log, topic, letters) =>
      log.append(letters.map(({ key, value, headers }) => ({ topic, partition: partitionFor(key, PARTITIONS), key, value: value ?? new Uint8Array(), timeMs: 0, headers }))),
    );
    stage.progress('bad records on Kafka, null values among them');
    const kafka = await openOwnKafka();
    const producer = new kafkajs.Kafka({ brokers: [...kafka.server.brokers], clientId: WRITER, logLevel: kafkajs.logLevel.NOTHING }).producer();
    try {
      await producer.connect();
      const onKafka = await poisoned({ ...run, on: kafka, file: join(stage.folder, 'kafka') }, async (_, topic, letters) => {
        for (const { key, value, headers } of letters) {
          const message = { key, value: value === null ? null : Buffer.from(value), partition: partitionFor(key, PARTITIONS), headers: { schema: headers.schema, source: headers.source, sequence: `${headers.sequence}` } };
          await producer.send({ topic, messages: [message] });
        }
      });
      return {
        killed: embedded.killed + onKafka.killed,
        lost: embedded.lost + onKafka.lost,
        duplicated: embedded.duplicated + onKafka.duplicated,
        identical: embedded.identical && onKafka.identical,
        failures: [...embedded.failures.map((each) => `embedded log: ${each}`), ...onKafka.failures.map((each) => `Kafka: ${each}`)],
      };
    } finally {
      await producer.disconnect();
      await kafka.close();
    }
  },
};

/** The first good record of each topic. */
function goodRecords(steps: readonly SourceStep[], results: Recording): Map<string, Uint8Array> {
  const good = new Map<string, Uint8Array>();
  for (const chain of results.chains()) if (chain.key === ASSET) good.set(chain.topic, results.value(chain, 0));
  const block = steps.flatMap(({ blocks }) => blocks).find(({ asset }) => asset === ASSET);
  const production = steps.flatMap((step) => step.production)[0];
  if (block !== undefined) good.set(TOPICS.telemetry.name, TelemetryBlock.encode(block).finish());
  if (production !== undefined) good.set(TOPICS.production.name, ProductionRecord.encode({ ...production, asset: ASSET }).finish());
  return good;
}

type Write = (log: EventLog, topic: string, records: readonly { readonly key: string; readonly value: Uint8Array | null; readonly headers: RecordHeaders }[]) => Promise<void>;

interface Run extends Pick<LineOptions, 'plant' | 'on'> {
  readonly steps: readonly SourceStep[];
  readonly expected: Recording;
  /** A good record of each topic, where there is one. */
  readonly good: ReadonlyMap<string, Uint8Array>;
  readonly file: string;
}

async function poisoned({ plant, on, steps, expected, good, file }: Run, write: Write): Promise<Verdict> {
  const failures: string[] = [];
  let killed = 0;
  let letters = 0;
  const line = await InProcessLine.start({ plant, on });
  try {
    for (const [i, step] of steps.entries()) {
      if (i % EVERY === 1) {
        for (const input of INPUTS) {
          const bad = poisons(input, good.get(input.topic.name));
          killed += bad.length;
          letters += bad.length * input.readers;
          await write(line.log, input.topic.name, bad.map(({ key, value, schema }) => ({ key, value, headers: { schema, source: WRITER, sequence: 0 } })));
        }
      }
      await line.give(step);
    }
    await line.drained();
    for (const { topic, readers, codec } of INPUTS) {
      const rounds = steps.filter((_, i) => i % EVERY === 1).length;
      const found = (await readData(line.log, [deadLetterTopic(topic.name)])).map(({ value }) => DeadLetter.decode(value));
      const wanted = rounds * readers * poisons({ topic, readers, codec }, good.get(topic.name)).length;
      if (found.length !== wanted) failures.push(`${topic.name}: ${found.length} dead letters where ${wanted} bad records were read`);
      for (const each of found.filter(({ error }) => !/^\S.{10,}/.test(error)).slice(0, 1)) failures.push(`${topic.name}: a dead letter does not say what was wrong: "${each.error}"`);
    }
    if (line.sum('deadLettered') !== letters) failures.push(`the ledger has ${line.sum('deadLettered')} dead letters, ${letters} bad records were read`);
    const balance = line.sum('processed') + line.sum('deadLettered') + line.sum('late') + line.sum('repeated');
    if (line.sum('in') !== balance) failures.push(`the ledger has ${line.sum('in')} records in and accounts for ${balance}`);
    return judge(expected, await line.results(file, ({ headers }) => headers.source !== WRITER), { killed, failures });
  } finally {
    await line.close();
  }
}
