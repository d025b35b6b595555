import { describe, expect, it } from '@jest/globals';
import { DeadLetter, TOPICS, WATERMARK_SCHEMA, Watermark, deadLetterTopic, lateTopic } from '@millwright/contracts';
import fc from 'fast-check';
import { MemoryStateStore } from './memory/memory-state-store.js';
import { PoisonRecordError, type Emission, type Processor } from './processor.js';
import { PureRun } from './pure-run.js';
import { WATERMARK_KEY, type LogRecord, type NewRecord } from './record.js';
import { Task } from './task.js';
import { text } from './testing/fixtures.js';

/** Per input topic, so that the interleaving of topics makes no difference, as Processor asks. */
type Sums = Record<string, number>;

/** Understands `add <n>`, `timer <ms>`, `late`, `part`, `poison`, `reject`, `slow`, `throw` and `forget`. */
const summing = (inputs: readonly string[]): Processor<string, Sums> => ({
  name: 'summing',
  inputs,
  outputs: ['out.v1', 'other.v1'],
  stateVersion: 1,
  codec: {
    encode: (state) => Buffer.from(JSON.stringify(Object.entries(state).sort())),
    decode: (bytes) => Object.fromEntries(JSON.parse(Buffer.from(bytes).toString()) as [string, number][]),
  },
  decode: (record) => {
    const message = text(record);
    if (message === 'garbage') throw new Error('the value is not a message');
    return message;
  },
  initial: () => ({}),
  onRecord: (message, state, context) => {
    const [verb = '', amount] = message.split(' ');
    if (verb === 'poison') throw new PoisonRecordError('poison');
    if (verb === 'throw') throw new TypeError('a bug');
    if (verb === 'reject') return Promise.reject(new Error('refused'));
    if (verb === 'late') {
      context.late('too late');
      return [];
    }
    if (verb === 'part') context.late('in part', 'part');
    if (verb === 'timer') context.setTimer(Number(amount) * 1_000);
    if (verb === 'forget') context.forget();
    const sum = (state[context.topic] = (state[context.topic] ?? 0) + Number(amount ?? 1));
    const emissions: Emission[] = [{ topic: sum % 3 === 0 ? 'other.v1' : 'out.v1', key: context.key, value: Buffer.from(`${context.topic} ${sum}`), timeMs: sum, schema: 's' }];
    return verb === 'slow' ? Promise.resolve(emissions) : emissions;
  },
  onTimer: (timeUs, state, context) => {
    if (timeUs % 7 === 0) context.setTimer(timeUs + 2_000);
    return [{ topic: 'out.v1', key: context.key, value: Buffer.from(`fired ${timeUs} ${state[context.topic] ?? 0}`), timeMs: timeUs / 1_000, schema: 's' }];
  },
});

interface Item {
  readonly key: string;
  readonly what: string;
  readonly source: string;
  readonly sequence: number;
}

const item = fc.record<Item>({
  key: fc.constantFrom('a', 'b', 'c'),
  what: fc.oneof(
    { weight: 6, arbitrary: fc.nat(9).map((n) => `add ${n}`) },
    { weight: 3, arbitrary: fc.nat(40).map((n) => `watermark ${n}`) },
    { weight: 2, arbitrary: fc.nat(40).map((n) => `timer ${n}`) },
    fc.constantFrom('late', 'part', 'poison', 'garbage', 'slow', 'throw', 'reject'),
  ),
  source: fc.constantFrom('edge-1', 'edge-2'),
  sequence: fc.nat(30),
});

const toRecord = (topic: string, offset: number, { key, what, source, sequence }: Item): LogRecord => {
  const at = { topic, partition: 5, offset, timeMs: offset };
  if (!what.startsWith('watermark')) return { ...at, key, value: Buffer.from(what), headers: { schema: 's', source, sequence } };
  const timeUs = Number(what.split(' ')[1]) * 1_000;
  return { ...at, key: WATERMARK_KEY, value: Watermark.encode({ timeUs, last: what.endsWith('last') }).finish(), headers: { schema: WATERMARK_SCHEMA, source, sequence: 0 } };
};

const ofSchema = (record: LogRecord, schema: string): LogRecord => ({ ...record, headers: { ...record.headers, schema } });
const lettersOf = (outputs: readonly NewRecord[]): DeadLetter[] => outputs.filter(({ topic }) => topic.endsWith('.dlq')).map(({ value }) => DeadLetter.decode(value));
const isData = ({ headers }: NewRecord): boolean => headers.schema !== WATERMARK_SCHEMA;
const describeRecord = ({ topic, key, value, headers }: NewRecord): unknown => [topic, key, Buffer.from(value).toString('latin1'), headers];
/** By who derived it and where it went: what is ordered. */
const bySource = (outputs: readonly NewRecord[]): Record<string, unknown[]> => {
  const grouped: Record<string, unknown[]> = {};
  for (const output of outputs.filter(isData)) (grouped[`${output.topic === lateTopic('a.v1') || output.topic === lateTopic('b.v1') ? 'late' : output.headers.source} ${output.topic}`] ??= []).push(describeRecord(output));
  return grouped;
};

const topics = ['a.v1', 'b.v1'] as const;
const apply = async (task: Task, records: readonly LogRecord[], topic: string, live = true): Promise<readonly NewRecord[]> =>
  task.apply({ topic, records, nextOffset: (records.at(-1)?.offset ?? -1) + 1 }, { live });

/** State, counts and timers, whole: what the store has after a last checkpoint, without what depends on interleaving. */
async function whole(task: Task, store: MemoryStateStore): Promise<unknown> {
  await store.save('t', task.checkpoint(), false);
  const loaded = await store.load('t');
  const system = JSON.parse(Buffer.from(loaded?.checkpoint.system ?? []).toString()) as { inputs: unknown };
  const entries = [...(loaded?.entries ?? [])].map(([key, value]) => [key, Buffer.from(value).toString()]).sort();
  return { inputs: system.inputs, entries, offsets: loaded?.checkpoint.offsets, version: loaded?.checkpoint.version };
}

describe('Task', () => {
  it('tells the processor whether its outputs go anywhere', () => {
    const told: boolean[] = [];
    const task = new Task({ ...summing(['in.v1']), onRecord: (_message, _state, { isLive }) => (told.push(isLive), []) } satisfies Processor<string, Sums>, 5);
    for (const [offset, live] of [false, true, false].entries()) {
      void task.apply({ topic: 'in.v1', records: [toRecord('in.v1', offset, { key: 'a', what: 'add 1', source: 'edge-1', sequence: offset + 1 })], nextOffset: offset + 1 }, { live });
    }
    expect(told).toEqual([false, true, false]);
  });

  it('gives the same outputs, state and ledger however it is batched, checkpointed, stopped and taken up again', async () => {
    const step = fc.record({ topic: fc.nat(1), size: fc.integer({ min: 1, max: 7 }), then: fc.constantFrom('nothing', 'nothing', 'checkpoint', 'crash', 'lost checkpoint') });
    await fc.assert(
      fc.asyncProperty(fc.tuple(fc.array(item, { maxLength: 60 }), fc.array(item, { maxLength: 60 })), fc.array(step, { maxLength: 40 }), async (items, steps) => {
        const log = items.map((each, t) => each.map((one, offset) => toRecord(topics[t] as string, offset, one)));
        const processor = summing(topics);

        const straight = new Task(processor, 5);
        const expected: NewRecord[] = [];
        for (const [t, records] of log.entries()) expected.push(...(await apply(straight, records, topics[t] as string)));

        let task = new Task(processor, 5);
        let store = new MemoryStateStore();
        const committed = [0, 0];
        const actual: NewRecord[] = [];
        const advance = async (t: number, size: number): Promise<void> => {
          const records = (log[t] ?? []).slice(committed[t], (committed[t] ?? 0) + size);
          if (records.length === 0) return;
          actual.push(...(await apply(task, records, topics[t] as string)));
          committed[t] = (committed[t] ?? 0) + records.length;
        };
        for (const { topic, size, then } of steps) {
          await advance(topic, size);
          if (then === 'checkpoint') await store.save('t', task.checkpoint(), false);
          if (then === 'lost checkpoint') task.unsaved(task.checkpoint());
          if (then === 'crash') {
            task = new Task(processor, 5);
            const loaded = await store.load('t');
            if (loaded) task.restore(loaded.checkpoint, loaded.entries);
            else store = new MemoryStateStore();
            for (const [t, name] of [...topics.entries()].reverse()) {
              const from = task.offsets[name] ?? 0;
              const past = (log[t] ?? []).slice(from, committed[t]);
              for (let i = 0; i < past.length; i += size) expect(await apply(task, past.slice(i, i + size), name, false)).toEqual([]);
            }
          }
        }
        for (const t of [0, 1]) await advance(t, Infinity);

        expect(bySource(actual)).toEqual(bySource(expected));
        expect(task.ledger()).toEqual(straight.ledger());
        for (const entry of task.ledger()) expect(entry.in).toBe(entry.processed + entry.deadLettered + entry.late + entry.repeated);
        expect(await whole(task, store)).toEqual(await whole(straight, new MemoryStateStore()));
      }),
      { numRuns: 200 },
    );
  });

  it('numbers outputs per output topic from 1 without gaps', async () => {
    const task = new Task(summing(['a.v1']), 5);
    const records = Array.from({ length: 20 }, (_, i) => toRecord('a.v1', i, { key: 'a', what: i % 4 === 0 ? 'poison' : 'slow', source: 'e', sequence: i + 1 }));
    const outputs = await apply(task, records, 'a.v1');
    for (const topic of ['out.v1', 'other.v1', deadLetterTopic('a.v1')]) {
      const sequences = outputs.filter((each) => each.topic === topic).map(({ headers }) => headers.sequence);
      expect(sequences).toEqual(sequences.map((_, i) => i + 1));
    }
  });

  it('counts telemetry by source and asset, other topics by source', async () => {
    const ledgerOf = async (topic: string): Promise<unknown> => {
      const task = new Task(summing([topic]), 5);
      await apply(task, ['a', 'b', 'a', 'b'].map((key, i) => toRecord(topic, i, { key, what: 'add', source: 'e', sequence: 1 + (i >> 1) })).map((each) => ofSchema(each, '')), topic);
      return task.ledger()[0];
    };
    expect(await ledgerOf(TOPICS.telemetry.name)).toMatchObject({ processed: 4, repeated: 0, missing: 0 });
    expect(await ledgerOf(TOPICS.features.name)).toMatchObject({ processed: 2, repeated: 2 });
  });

  it('moves with the slowest watermark writer, but not with one that fell silent', async () => {
    const run = new Task(summing(['a.v1']), 5);
    const mark = async (offset: number, source: string, seconds: number): Promise<number[]> => {
      const outputs = await apply(run, [toRecord('a.v1', offset, { key: '', what: `watermark ${seconds * 1_000}`, source, sequence: 0 })], 'a.v1');
      return outputs.filter(({ topic }) => topic === 'out.v1').map(({ value }) => Watermark.decode(value).timeUs / 1e6);
    };
    expect(await mark(0, 'one', 100)).toEqual([100]);
    expect(await mark(1, 'two', 105)).toEqual([]);
    expect(await mark(2, 'one', 103)).toEqual([103]);
    expect(await mark(3, 'two', 112)).toEqual([]);
    expect(await mark(4, 'two', 114)).toEqual([114]);
    expect(await mark(5, 'one', 104)).toEqual([]);
    expect(await mark(6, 'one', 120)).toEqual([]);
    expect(await mark(7, 'two', 119)).toEqual([119]);
  });

  it('waits for a writer that has said its last as long as who sent to it takes to find another, also after a restart, and as ever for one that is back', async () => {
    let run = new Task(summing(['a.v1']), 5);
    const mark = async (offset: number, source: string, seconds: number, last = ''): Promise<number[]> => {
      const outputs = await apply(run, [toRecord('a.v1', offset, { key: '', what: `watermark ${seconds * 1_000} ${last}`, source, sequence: 0 })], 'a.v1');
      return outputs.filter(({ topic }) => topic === 'out.v1').map(({ value }) => Watermark.decode(value).timeUs / 1e6);
    };
    expect(await mark(0, 'one', 100)).toEqual([100]);
    expect(await mark(1, 'one', 100, 'last')).toEqual([]);
    expect(await mark(2, 'two', 103)).toEqual([]);
    const { changed, ...checkpoint } = run.checkpoint();
    run = new Task(summing(['a.v1']), 5);
    run.restore(checkpoint, changed);
    expect(await mark(3, 'two', 104)).toEqual([104]);
    expect(await mark(4, 'one', 105)).toEqual([]);
    expect(await mark(5, 'two', 109)).toEqual([105]);
    expect(await mark(6, 'two', 114)).toEqual([]);
    expect(await mark(7, 'two', 116)).toEqual([116]);
  });

  it('does not go by the watermarks of who writes to a topic beside its own processor', async () => {
    const { name } = TOPICS.quality;
    const run = new Task(summing([name]), 5);
    const mark = async (offset: number, source: string, seconds: number): Promise<number[]> => {
      const outputs = await apply(run, [toRecord(name, offset, { key: '', what: `watermark ${seconds * 1_000}`, source, sequence: 0 })], name);
      return outputs.filter(({ topic }) => topic === 'out.v1').map(({ value }) => Watermark.decode(value).timeUs / 1e6);
    };
    expect(await mark(0, 'inference-drift/5', 100)).toEqual([]);
    expect(await mark(1, 'quality/5', 40)).toEqual([40]);
    expect(await mark(2, 'inference-drift/5', 200)).toEqual([]);
    expect(await mark(3, 'quality/5', 90)).toEqual([90]);
  });

  it('says that a time is over when it is on all inputs that have time, heard of or not', async () => {
    const marks = async (inputs: readonly string[], ...steps: readonly (readonly [topic: string, seconds: number])[]): Promise<number[][]> => {
      const task = new Task(summing(inputs), 5);
      const outputs: (readonly NewRecord[])[] = [];
      for (const [offset, [topic, seconds]] of steps.entries()) {
        outputs.push(await apply(task, [toRecord(topic, offset, { key: '', what: `watermark ${seconds * 1_000}`, source: 'e', sequence: 0 })], topic));
      }
      return outputs.map((each) => each.filter(({ topic }) => topic === 'out.v1').map(({ value }) => Watermark.decode(value).timeUs / 1e6));
    };
    // One input is read to its end before anything has come on the other, as when its writer is slow to start.
    expect(await marks(topics, ['b.v1', 10], ['b.v1', 90], ['a.v1', 20], ['a.v1', 95], ['a.v1', 99])).toEqual([[], [], [20], [90], []]);
    const { inferences, quality, alarmCommands } = TOPICS;
    expect(await marks([inferences.name, quality.name, alarmCommands.name], [quality.name, 10], [inferences.name, 20])).toEqual([[], [10]]);
  });

  it('fires timers by due time, then key, once, and keeps one a key', () => {
    const run = new PureRun(summing(['a.v1']));
    const send = (key: string, what: string): unknown => run.push([{ key, value: Buffer.from(what), timeMs: 0 }]);
    send('b', 'timer 20');
    send('a', 'timer 20');
    send('c', 'timer 10');
    send('c', 'timer 15');
    send('d', 'timer 99');
    send('e', 'timer 5');
    send('e', 'forget');
    expect(run.watermark(9_000)).toEqual([]);
    expect(run.watermark(50_000).map(({ key, value }) => `${key} ${text({ value }).split(' ')[1]}`)).toEqual(['c 15000', 'a 20000', 'b 20000']);
    expect(run.watermark(60_000)).toEqual([]);
  });

  it('lets a timer set the next, in the same pass where that is due too', () => {
    const run = new PureRun(summing(['a.v1']));
    run.push([{ key: 'a', value: Buffer.from('timer 7'), timeMs: 0 }]);
    expect(run.watermark(20_000).map(({ value }) => text({ value }).split(' ')[1])).toEqual(['7000', '9000']);
  });

  it('starts a forgotten key anew', () => {
    const run = new PureRun(summing(['a.v1']));
    const outputs = run.push(['add 4', 'forget', 'add 4'].map((what) => ({ key: 'a', value: Buffer.from(what), timeMs: 0 })));
    expect(outputs.map(text)).toEqual(['a.v1 4', 'a.v1 5', 'a.v1 4']);
  });

  it('takes a watermark that is none for the bad record that it is', async () => {
    const task = new Task(summing(['a.v1']), 5);
    const broken = { ...toRecord('a.v1', 0, { key: '', what: 'watermark 1', source: 'e', sequence: 0 }), value: Buffer.from([0x08]) };
    await apply(task, [broken], 'a.v1');
    expect(task.ledger()[0]).toMatchObject({ in: 1, watermarks: 0, processed: 0, deadLettered: 1 });
  });

  it('refuses records of a schema that is not the topic\'s, and says what to do', async () => {
    const { name: topic, schema } = TOPICS.telemetry;
    const schemas = [schema, '', schema.replace('.v1.', '.v2.'), TOPICS.features.schema, 'unknown', 'x'.repeat(5_000)];
    const task = new Task(summing([topic]), 5);
    const outputs = await apply(task, schemas.map((each, i) => ofSchema(toRecord(topic, i, { key: 'a', what: 'add', source: 'e', sequence: i + 1 }), each)), topic);
    expect(task.ledger()[0]).toMatchObject({ in: 6, processed: 2, deadLettered: 4, missing: 0 });
    expect(lettersOf(outputs).slice(0, 3).map(({ error }) => error)).toEqual([
      `schema: millwright.telemetry.v2.TelemetryBlock is newer than ${schema}, which this version reads: update this service, then send the record again`,
      `schema: ${TOPICS.features.schema} is not ${schema}, which ${topic} holds: write it to the topic of its own`,
      `schema: unknown is not ${schema}, which ${topic} holds: write it to the topic of its own`,
    ]);
  });

  it('refuses records that would not go whole into the dead letters, whose size is bounded whatever comes', async () => {
    const task = new Task(summing(['a.v1']), 5);
    const large = { ...toRecord('a.v1', 0, { key: 'a', what: 'add', source: 'e', sequence: 1 }), value: Buffer.alloc(1_048_000, 'x') };
    const outputs = await apply(task, [large, toRecord('a.v1', 1, { key: 'k'.repeat(350_000), what: 'add', source: 'e', sequence: 2 }), toRecord('a.v1', 2, { key: 'a', what: 'add', source: 'e', sequence: 3 })], 'a.v1');
    expect(task.ledger()[0]).toMatchObject({ in: 3, processed: 1, deadLettered: 2 });
    for (const { value, key } of outputs) expect(value.byteLength + 3 * key.length).toBeLessThan(950_000);
    expect(lettersOf(outputs)[0]!.error).toBe('the record has 1048009 bytes and at most 900000 are taken: send smaller ones (cut here; whole at a.v1/5@0, where it has 1048000 bytes of value)');
  });

  it('keeps no state of keys that only bad records have', async () => {
    const task = new Task(summing(['a.v1']), 5);
    await apply(task, ['a', 'b', 'c', 'd'].map((key, i) => toRecord('a.v1', i, { key, what: key === 'b' ? 'add' : 'poison', source: 'e', sequence: i + 1 })), 'a.v1');
    const { changed, deleted } = task.checkpoint();
    expect([...changed.keys()]).toEqual(['b']);
    // Nor anything of them for the store to delete, however long it is out of reach.
    expect(deleted).toEqual([]);
  });

  it('has the store delete a state that was forgotten, also where bad records came for its key since', async () => {
    const task = new Task(summing(['a.v1']), 5);
    await apply(task, ['add', 'forget', 'poison'].map((what, i) => toRecord('a.v1', i, { key: 'a', what, source: 'e', sequence: i + 1 })), 'a.v1');
    expect(task.checkpoint().deleted).toEqual(['a']);
  });

  it('takes a checkpoint with things changed for another, or refuses it, and never fills the memory', () => {
    const full = new Task(summing(['a.v1']), 5);
    void full.apply({ topic: 'a.v1', records: Array.from({ length: 9 }, (_, i) => toRecord('a.v1', i, { key: `k${i}`, what: i % 3 === 0 ? 'timer 9' : 'add 2', source: `e${i}`, sequence: 2 * i + 1 })), nextOffset: 9 }, { live: true });
    const { changed, ...checkpoint } = full.checkpoint();
    const system = Buffer.from(checkpoint.system).toString();
    fc.assert(
      fc.property(fc.nat(system.length), fc.nat(5), fc.constantFrom('', '9', '-', '"', '[', '}', 'null', '1e9', ','), (at, drop, put) => {
        const mutated = Buffer.from(system.slice(0, at) + put + system.slice(at + drop));
        const task = new Task(summing(['a.v1']), 5);
        try {
          task.restore({ ...checkpoint, system: mutated }, changed);
        } catch (error) {
          expect((error as Error).message).not.toBe('');
          return;
        }
        expect(task.checkpoint().changed.size).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it('refuses promises in a pure run, in one sentence', () => {
    const run = new PureRun(summing(['a.v1']));
    expect(() => run.push([{ key: 'a', value: Buffer.from('slow'), timeMs: 0 }])).toThrow('a pure run needs one that answers at once');
  });
});
