import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DeadLetter, WATERMARK_SCHEMA, Watermark, deadLetterTopic, lateTopic } from '@millwright/contracts';
import { FencedError, type EventLog, type Transactor } from '../log.js';
import { MemoryStateStore } from '../memory/memory-state-store.js';
import { PoisonRecordError, type Emission, type Processor } from '../processor.js';
import { WATERMARK_KEY, type LogRecord, type NewRecord } from '../record.js';
import { runProcessor } from '../run.js';
import type { ProcessorRun, RuntimeLogger } from '../runtime.js';
import { taskName, type StateStore } from '../state.js';
import { eventually, readAll, record, text, topicSpec, unique } from './fixtures.js';

/** A log and a state store under test, together. */
export interface OpenedRuntime {
  readonly log: EventLog;
  readonly store: StateStore;
  close(): Promise<void>;
}

interface Counter {
  count: number;
}

/**
 * Numbers the records of each key: `<key>#<n>:<text>`. `poison` throws, `reject` breaks its promise, `late` is late,
 * `timer <ms>` asks for a timer, which publishes `<key>#<n>:fired`.
 */
function counting(name: string, inputs: readonly string[], output: string): Processor<string, Counter> {
  const emit = (key: string, timeMs: number, state: Counter, what: string): Emission[] => [
    { topic: output, key, value: Buffer.from(`${key}#${++state.count}:${what}`), timeMs, schema: 'test.v1.Text' },
  ];
  return {
    name,
    inputs,
    outputs: [output],
    stateVersion: 1,
    codec: {
      encode: ({ count }) => Buffer.from(`${count}`),
      decode: (bytes, version) => {
        if (version !== 1) throw new Error(`state version ${version} is unknown`);
        return { count: Number(Buffer.from(bytes).toString()) };
      },
    },
    decode: text,
    initial: () => ({ count: 0 }),
    onRecord: (message, state, context, { key, timeMs }) => {
      if (message === 'poison') throw new PoisonRecordError('this record is poison');
      if (message === 'reject') return Promise.reject(new Error('the engine refused'));
      if (message === 'late') {
        context.late('after its window');
        return [];
      }
      if (message.startsWith('timer ')) context.setTimer(Number(message.slice(6)) * 1_000);
      const emissions = emit(key, timeMs, state, message);
      return message.startsWith('slow') ? Promise.resolve().then(() => emissions) : emissions;
    },
    onTimer: (timeUs, state, context) => emit(context.key, timeUs / 1_000, state, 'fired'),
  };
}

const silent: RuntimeLogger = { info: () => undefined, warn: () => undefined, error: () => undefined };
const watermark = (topic: string, partition: number, timeMs: number): NewRecord => ({
  topic,
  partition,
  key: WATERMARK_KEY,
  value: Watermark.encode({ timeUs: timeMs * 1_000, last: false }).finish(),
  timeMs,
  headers: { schema: WATERMARK_SCHEMA, source: 'ingestion', sequence: 0 },
});

/** `log` with another way to make transactors, to let commits fail as networks do. */
function withTransactor(log: EventLog, change: (transactor: Transactor) => Transactor): EventLog {
  return new Proxy(log, {
    get: (target, property) => {
      if (property === 'transactor') return async (...of: Parameters<EventLog['transactor']>) => change(await target.transactor(...of));
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** The end-to-end properties of the runtime on a log and a state store. */
export function describeRuntime(name: string, open: () => Promise<OpenedRuntime>): void {
  describe(`the runtime on ${name}`, () => {
    let opened: OpenedRuntime;
    let log: EventLog;
    let store: StateStore;
    beforeAll(async () => {
      opened = await open();
      ({ log, store } = opened);
    });
    afterAll(() => opened.close());

    const running: ProcessorRun[] = [];
    const run = async (processor: Processor<string, Counter>, options: { log?: EventLog; store?: StateStore; checkpointMs?: number } = {}): Promise<ProcessorRun> => {
      const started = await runProcessor(processor, { log, store, logger: silent, checkpointMs: 0, ...options });
      running.push(started);
      return started;
    };
    afterAll(() => Promise.all(running.map((each) => each.close())));

    /** Topics of one test: an input with its dead letters and late records, an output, a processor between. */
    const line = async (partitions = 1): Promise<{ input: string; output: string; processor: Processor<string, Counter> }> => {
      const [input, output] = [unique('in'), unique('out')];
      await log.createTopics([input, output, deadLetterTopic(input), lateTopic(input)].map((topic) => topicSpec(topic, partitions)));
      return { input, output, processor: counting(unique('counting'), [input], output) };
    };
    let sequence = 0;
    const send = (input: string, texts: readonly string[], partition = 0, key = 'a'): Promise<void> =>
      log.append(texts.map((each) => record(input, partition, key, each, ++sequence)));
    const handled = (of: ProcessorRun): number => of.status().ledger.reduce((sum, entry) => sum + entry.in, 0);
    const allHandled = (of: ProcessorRun, count: number): Promise<void> => eventually(() => handled(of) >= count, `${count} records are handled (${JSON.stringify(of.status())})`);
    const outputs = async (topic: string): Promise<LogRecord[]> => (await readAll(log, [topic])).filter(({ headers }) => headers.schema !== WATERMARK_SCHEMA);
    const balanced = (of: ProcessorRun): boolean =>
      of.status().ledger.every((entry) => entry.in === entry.processed + entry.deadLettered + entry.late + entry.repeated);

    it('turns each record into its output, once and in order, numbered without gaps', async () => {
      const { input, output, processor } = await line(3);
      for (const partition of [0, 1, 2]) await send(input, ['x', 'slow y', 'z'], partition, `k${partition}`);
      const started = await run(processor);
      await allHandled(started, 9);
      await send(input, ['last'], 1, 'k1');
      await allHandled(started, 10);
      await started.close();
      for (const partition of [0, 1, 2]) {
        const written = (await outputs(output)).filter((each) => each.partition === partition);
        expect(written.map(text)).toEqual(['x', 'slow y', 'z', ...(partition === 1 ? ['last'] : [])].map((each, i) => `k${partition}#${i + 1}:${each}`));
        expect(written.map(({ headers }) => headers.sequence)).toEqual(written.map((_, i) => i + 1));
        expect(new Set(written.map(({ headers }) => headers.source))).toEqual(new Set([`${processor.name}/${partition}/${input}`]));
      }
      expect(balanced(started)).toBe(true);
      expect(started.status()).toMatchObject({ assignment: [], lag: 0 });
    });

    it('sends what can\'t be processed to the dead letters and late records to theirs, and goes on', async () => {
      const { input, output, processor } = await line();
      await send(input, ['a', 'poison', 'b', 'late', 'reject', 'c']);
      const started = await run(processor);
      await allHandled(started, 6);
      await started.close();
      expect((await outputs(output)).map(text)).toEqual(['a#1:a', 'a#2:b', 'a#3:c']);
      const dead = (await readAll(log, [deadLetterTopic(input)])).map(({ value }) => DeadLetter.decode(value));
      expect(dead.map(({ error, value, processor: by, topic }) => [error, Buffer.from(value).toString(), by, topic])).toEqual([
        ['this record is poison', 'poison', processor.name, input],
        ['the engine refused', 'reject', processor.name, input],
      ]);
      expect((await readAll(log, [lateTopic(input)])).map((each) => [text(each), each.key, each.headers.source])).toEqual([['late', 'a', 'test']]);
      expect(started.status().ledger).toEqual([
        { topic: input, partition: 0, in: 6, processed: 3, deadLettered: 2, late: 1, repeated: 0, missing: expect.any(Number), watermarks: 0 },
      ]);
    });

    it('drops repeats and counts what is missing', async () => {
      const { input, output, processor } = await line();
      const source = unique('edge');
      const numbered = (n: number): NewRecord => ({ ...record(input, 0, 'a', `${n}`), headers: { schema: 's', source, sequence: n } });
      await log.append([1, 2, 2, 1, 5, 3, 5, 6].map(numbered));
      const started = await run(processor);
      await allHandled(started, 8);
      await started.close();
      expect((await outputs(output)).map(text)).toEqual(['a#1:1', 'a#2:2', 'a#3:5', 'a#4:3', 'a#5:6']);
      expect(started.status().ledger).toMatchObject([{ in: 8, processed: 5, repeated: 3, missing: 1 }]);
    });

    it('lets time pass by watermarks: timers fire, and the outputs get the watermark', async () => {
      const { input, output, processor } = await line();
      await send(input, ['timer 5000', 'timer 7000'], 0, 'b');
      await send(input, ['timer 6000'], 0, 'a');
      await log.append([watermark(input, 0, 4_000), watermark(input, 0, 8_000)]);
      const started = await run(processor);
      await eventually(() => started.status().ledger[0]?.watermarks === 2, 'both watermarks are handled');
      await started.close();
      expect((await outputs(output)).map(text)).toEqual(['b#1:timer 5000', 'b#2:timer 7000', 'a#1:timer 6000', 'a#2:fired', 'b#3:fired']);
      const marks = (await readAll(log, [output])).filter(({ headers }) => headers.schema === WATERMARK_SCHEMA);
      expect(marks.map(({ value }) => Watermark.decode(value).timeUs)).toEqual([4_000_000, 8_000_000]);
    });

    it('goes on exactly where it was: with its checkpoint, and without', async () => {
      const { input, output, processor } = await line(2);
      const lost = new MemoryStateStore();
      let total = 0;
      const more = async (of: ProcessorRun): Promise<void> => {
        for (const partition of [0, 1]) await send(input, ['x', 'poison', 'timer 1000', 'y'], partition, `k${partition}`);
        total += 8;
        await allHandled(of, total);
        await of.close();
        expect(balanced(of)).toBe(true);
        expect(handled(of)).toBe(total);
      };
      await more(await run(processor));
      await more(await run(processor, { checkpointMs: 1_000_000 }));
      await more(await run(processor, { store: lost }));
      await more(await run(processor));
      const written = await outputs(output);
      for (const partition of [0, 1]) {
        const own = written.filter((each) => each.partition === partition);
        expect(own.map((each) => text(each).split(':')[0])).toEqual(Array.from({ length: 12 }, (_, i) => `k${partition}#${i + 1}`));
        expect(own.map(({ headers }) => headers.sequence)).toEqual(own.map((_, i) => i + 1));
      }
    });

    it('rebuilds state of a version that it can\'t read', async () => {
      const { input, output, processor } = await line();
      await send(input, ['x', 'y']);
      const before = await run(processor);
      await allHandled(before, 2);
      await before.close();
      const next = { ...processor, stateVersion: 2, codec: { ...processor.codec, decode: () => { throw new Error('version 1 is too old'); } } };
      const after = await run(next);
      await send(input, ['z']);
      await allHandled(after, 3);
      await after.close();
      expect((await outputs(output)).map(text)).toEqual(['a#1:x', 'a#2:y', 'a#3:z']);
      expect((await store.load(taskName(processor.name, 0)))?.checkpoint.stateVersion).toBe(2);
    });

    it('hands partitions over to other members without losing or repeating anything', async () => {
      const { input, output, processor } = await line(4);
      const partitions = [0, 1, 2, 3];
      const feed = async (rounds: number): Promise<void> => {
        for (let round = 0; round < rounds; round++) for (const p of partitions) await send(input, ['x', 'y', 'z'], p, `k${p}`);
      };
      let count = 0;
      const tail = await log.tail({ topics: [output], from: 'earliest', batch: ({ records }) => void (count += records.length) });
      const written = (expected: number): Promise<void> => eventually(() => count >= expected, `${expected} outputs are there`, 60_000);
      const first = await run(processor);
      await feed(5);
      await written(60);
      const second = await run(processor);
      await feed(5);
      await eventually(() => second.status().assignment.length > 0, 'the second member holds something');
      await feed(5);
      await written(180);
      await first.close();
      await feed(5);
      await written(240);
      await second.close();
      await tail.close();
      for (const partition of partitions) {
        const own = (await outputs(output)).filter((each) => each.partition === partition);
        expect(own.map((each) => text(each).split(':')[0])).toEqual(Array.from({ length: 60 }, (_, i) => `k${partition}#${i + 1}`));
      }
    });

    it('commits once though commits fail, before or after they took place, and says that it is stalled', async () => {
      const { input, output, processor } = await line();
      let failures = 0;
      const shaky = withTransactor(log, (transactor) => ({
        committed: () => transactor.committed(),
        complete: () => transactor.complete(),
        close: () => transactor.close(),
        commit: async (...of) => {
          failures++;
          if (failures % 3 === 1) throw new Error('the broker went away before');
          await transactor.commit(...of);
          if (failures % 3 === 2) throw new Error('the broker went away after');
        },
      }));
      const started = await run(processor, { log: shaky });
      await send(input, ['x']);
      await eventually(() => started.status().stalled !== undefined, 'it is stalled');
      expect(started.status().stalled).toMatch(`${processor.name}/0 could not commit: the broker went away`);
      for (const each of ['y', 'z', 'w']) await send(input, [each]);
      await allHandled(started, 4);
      expect(started.status().stalled).toBeUndefined();
      await started.close();
      expect((await outputs(output)).map(text)).toEqual(['a#1:x', 'a#2:y', 'a#3:z', 'a#4:w']);
    });

    it('goes on while its store is down, waits for it where it must, and loses nothing', async () => {
      const { input, output, processor } = await line();
      let down = true;
      const attempt = <T>(act: () => Promise<T>): Promise<T> => (down ? Promise.reject(new Error('the store is down')) : act());
      const shaky: StateStore = {
        load: (...of) => attempt(() => store.load(...of)),
        save: (...of) => attempt(() => store.save(...of)),
        get: (...of) => attempt(() => store.get(...of)),
        healthy: () => Promise.resolve(!down),
        close: () => Promise.resolve(),
      };
      await send(input, ['x']);
      const first = await run(processor, { store: shaky });
      await eventually(() => first.status().stalled?.includes('the store is down') ?? false, 'it waits for its checkpoint');
      down = false;
      await allHandled(first, 1);
      down = true;
      await send(input, ['y']);
      await allHandled(first, 2);
      await first.close();
      down = false;
      const second = await run(processor, { store: shaky });
      await send(input, ['z']);
      await allHandled(second, 3);
      await second.close();
      expect((await outputs(output)).map(text)).toEqual(['a#1:x', 'a#2:y', 'a#3:z']);
    });

    it('misses what never came before the first record', async () => {
      const { input, processor } = await line();
      const writer = await log.transactor(unique('writer'), 0, [], [input]);
      await writer.commit([record(input, 0, 'a', 'x', 3)], {});
      await writer.close();
      const started = await run(processor);
      await allHandled(started, 1);
      await started.close();
      expect(started.status().ledger).toMatchObject([{ in: 1, missing: 2 }]);
    });

    it('takes over again what a member that has lost it took from it late, since the group says whose it is', async () => {
      const { input, output, processor } = await line();
      await send(input, ['x']);
      const owner = await run(processor);
      await allHandled(owner, 1);
      const late = await log.transactor(processor.name, 0, [input]);
      expect(await late.committed()).toMatchObject({ [input]: expect.any(Number) });
      await send(input, ['y']);
      await allHandled(owner, 2);
      await expect(late.commit([], { [input]: 1 })).rejects.toThrow(FencedError);
      await late.close();
      await owner.close();
      expect((await outputs(output)).map(text)).toEqual(['a#1:x', 'a#2:y']);
    });

    it('runs processors one behind the other', async () => {
      const { input, output, processor } = await line(2);
      const last = unique('last');
      await log.createTopics([topicSpec(last, 2), topicSpec(deadLetterTopic(output), 2), topicSpec(lateTopic(output), 2)]);
      const runs = [await run(processor), await run(counting(unique('second'), [output], last))];
      for (const partition of [0, 1]) await send(input, ['x', 'y'], partition, `k${partition}`);
      await allHandled(runs[1] as ProcessorRun, 4);
      await Promise.all(runs.map((each) => each.close()));
      expect((await outputs(last)).map(text)).toEqual([0, 1].flatMap((p) => [`k${p}#1:k${p}#1:x`, `k${p}#2:k${p}#2:y`]));
      expect(runs[1]?.status().ledger.map(({ missing, repeated }) => [missing, repeated])).toEqual([[0, 0], [0, 0]]);
    });
  });
}
