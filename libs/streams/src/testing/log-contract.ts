import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { COMMITTED, FencedError, type Delivery, type EventLog, type GroupHandler, type LogBatch, type Offsets } from '../log.js';
import type { LogRecord } from '../record.js';
import { eventually, gate, readAll, record, text, topicSpec, unique } from './fixtures.js';

/** A log under test. */
export interface OpenedLog {
  readonly log: EventLog;
  /** Ends `log` and opens the same data anew, where the log outlives its process. */
  readonly reopen?: () => Promise<EventLog>;
  close(): Promise<void>;
}

/** A handler that reads on from what is committed and remembers everything. */
class Recorder implements GroupHandler {
  readonly records: LogRecord[] = [];
  readonly events: string[] = [];
  readonly held = new Set<number>();
  readonly #startAt: (partition: number) => Offsets;
  readonly #onBatch: (batch: LogBatch) => Promise<void> | void;
  readonly #busy = new Set<number>();

  constructor(startAt: (partition: number) => Offsets = () => ({}), onBatch: (batch: LogBatch) => Promise<void> | void = () => undefined) {
    this.#startAt = startAt;
    this.#onBatch = onBatch;
  }

  assigned(partition: number): Promise<Offsets> {
    return this.#alone(partition, () => {
      this.events.push(`assigned ${partition}`);
      this.held.add(partition);
      return Promise.resolve(this.#startAt(partition));
    });
  }

  batches(batches: readonly LogBatch[]): Promise<Delivery> {
    return this.#alone(batches[0]!.partition, async () => {
      if (new Set(batches.map(({ topic }) => topic)).size < batches.length) this.events.push('TWO BATCHES OF A TOPIC');
      for (const batch of batches) {
        if (!this.held.has(batch.partition)) throw new Error(`a batch of partition ${batch.partition}, which is not held`);
        this.records.push(...batch.records);
        await this.#onBatch(batch);
      }
      return COMMITTED;
    });
  }

  revoked(partition: number): Promise<void> {
    return this.#alone(partition, () => {
      this.events.push(`revoked ${partition}`);
      this.held.delete(partition);
      return Promise.resolve();
    });
  }

  texts(topic: string): string[] {
    return this.records.filter((each) => each.topic === topic).map(text);
  }

  async #alone<T>(partition: number, run: () => Promise<T>): Promise<T> {
    if (this.#busy.has(partition)) this.events.push(`OVERLAP ${partition}`);
    this.#busy.add(partition);
    try {
      return await run();
    } finally {
      this.#busy.delete(partition);
    }
  }
}

const numbers = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `${from + i}`);

/** What every EventLog must do, whatever it stands on. */
export function describeEventLog(name: string, open: () => Promise<OpenedLog>): void {
  describe(`${name} as an event log`, () => {
    let opened: OpenedLog;
    let log: EventLog;
    beforeAll(async () => {
      opened = await open();
      log = opened.log;
    });
    afterAll(() => opened.close());

    const newTopic = async (partitions: number, compacted = false): Promise<string> => {
      const topic = unique('log');
      await log.createTopics([topicSpec(topic, partitions, compacted)]);
      return topic;
    };

    describe('topics', () => {
      it('are created once and left as they are when created again', async () => {
        const topic = await newTopic(3);
        await log.append([record(topic, 2, 'a', 'kept')]);
        await log.createTopics([topicSpec(topic, 3), topicSpec(unique('other'), 1)]);
        expect(await log.partitions(topic)).toBe(3);
        expect((await readAll(log, [topic])).map(text)).toEqual(['kept']);
      });

      it('that do not exist are refused by name', async () => {
        const missing = unique('missing');
        await expect(log.partitions(missing)).rejects.toThrow(missing);
      });
    });

    describe('append', () => {
      it('keeps key, value, time and headers exactly', async () => {
        const topic = await newTopic(2);
        const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
        const plain = { ...record(topic, 1, 'pump-1', ''), value: bytes };
        const traced = {
          ...record(topic, 1, 'Förderband/7 ~ü', ''),
          value: new Uint8Array(0),
          timeMs: 0,
          headers: {
            schema: 'test.v2.Other',
            source: 'features/1',
            sequence: 9_007_199_254_740_991,
            traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
          },
        };
        await log.append([plain, traced]);
        const read = await readAll(log, [topic]);
        expect(read.map(({ value, ...rest }) => ({ ...rest, value: [...value] }))).toEqual([
          { ...plain, value: [...bytes], offset: read[0]?.offset },
          { ...traced, value: [], offset: read[1]?.offset },
        ]);
      });

      it('keeps the order of each partition, also of calls under way together', async () => {
        const topic = await newTopic(2);
        await Promise.all(numbers(0, 60).map((n) => log.append([record(topic, Number(n) % 2, 'k', n), record(topic, 0, 'k', `${n}+`)])));
        const read = await readAll(log, [topic]);
        expect(read.filter((each) => each.partition === 0).map(text)).toEqual(
          numbers(0, 60).flatMap((n) => (Number(n) % 2 === 0 ? [n, `${n}+`] : [`${n}+`])),
        );
        expect(read.filter((each) => each.partition === 1).map(text)).toEqual(numbers(0, 60).filter((n) => Number(n) % 2 === 1));
      });

      it('moves the end offset of its partition only', async () => {
        const topic = await newTopic(3);
        expect(await log.endOffsets(topic)).toEqual([0, 0, 0]);
        await log.append(numbers(0, 5).map((n) => record(topic, 1, 'k', n)));
        expect(await log.endOffsets(topic)).toEqual([0, 5, 0]);
        expect(await log.firstOffsets(topic)).toEqual([0, 0, 0]);
      });

      it('finds the last sequence of a source in a partition, however far from the end', async () => {
        const topic = await newTopic(2);
        const of = (source: string, partition: number, sequences: readonly string[]) =>
          sequences.map((n) => ({ ...record(topic, partition, 'k', n), headers: { schema: 'test.v1.Text', source, sequence: Number(n) } }));
        await log.append([...of('early', 0, ['1', '2', '3']), ...of('late', 1, ['7'])]);
        await log.append(of('late', 0, numbers(1, 6_000)));
        const last = (partition: number, source: string): Promise<number | undefined> => log.lastSequence(topic, partition, source);
        expect(await Promise.all([last(0, 'early'), last(0, 'late'), last(1, 'early'), last(1, 'late'), last(0, 'never')])).toEqual([3, 5_999, undefined, 7, undefined]);
      });

      it('takes a record of half a megabyte', async () => {
        const topic = await newTopic(1);
        const value = new Uint8Array(500_000).fill(7);
        await log.append([{ ...record(topic, 0, 'k', ''), value }]);
        const [read] = await readAll(log, [topic]);
        expect(Buffer.compare(read?.value ?? new Uint8Array(0), value)).toBe(0);
      });

      it('of nothing is no error', async () => {
        await log.append([]);
      });
    });

    describe('a tail', () => {
      it('from earliest sees what is there and what comes', async () => {
        const topic = await newTopic(1);
        await log.append([record(topic, 0, 'k', 'before')]);
        const seen: string[] = [];
        const tail = await log.tail({ topics: [topic], from: 'earliest', batch: (batch) => void seen.push(...batch.records.map(text)) });
        await tail.caughtUp();
        expect(seen).toEqual(['before']);
        await log.append([record(topic, 0, 'k', 'after')]);
        await tail.caughtUp();
        expect(seen).toEqual(['before', 'after']);
        await tail.close();
        await log.append([record(topic, 0, 'k', 'closed')]);
        expect(seen).toEqual(['before', 'after']);
      });

      it('from latest sees only what comes after tail() resolved', async () => {
        const topic = await newTopic(2);
        await log.append([record(topic, 0, 'k', 'before'), record(topic, 1, 'k', 'before')]);
        const seen: string[] = [];
        const tail = await log.tail({ topics: [topic], from: 'latest', batch: (batch) => void seen.push(...batch.records.map(text)) });
        await log.append([record(topic, 1, 'k', 'after')]);
        await tail.caughtUp();
        expect(seen).toEqual(['after']);
        await tail.close();
      });

      it('delivers a partition\'s next batch only when the last is done with', async () => {
        const topic = await newTopic(1);
        const done = gate();
        const seen: string[] = [];
        let running = 0;
        let most = 0;
        const tail = await log.tail({
          topics: [topic],
          from: 'earliest',
          batch: async (batch) => {
            most = Math.max(most, ++running);
            seen.push(...batch.records.map(text));
            await done.opened;
            running--;
          },
        });
        await log.append([record(topic, 0, 'k', 'first')]);
        await eventually(() => seen.length > 0, 'the first batch comes');
        await log.append([record(topic, 0, 'k', 'second')]);
        await log.append([record(topic, 0, 'k', 'third')]);
        done.open();
        await tail.caughtUp();
        expect(seen).toEqual(['first', 'second', 'third']);
        expect(most).toBe(1);
        await tail.close();
      });

      it('of a compacted topic sees the last record of every key', async () => {
        const topic = await newTopic(1, true);
        await log.append([record(topic, 0, 'a', 'a1'), record(topic, 0, 'b', 'b1'), record(topic, 0, 'a', 'a2')]);
        const last = new Map((await readAll(log, [topic])).map((each) => [each.key, text(each)]));
        expect(last).toEqual(new Map([['a', 'a2'], ['b', 'b1']]));
      });
    });

    describe('a group', () => {
      it('gets all records of its topics, in order, and goes on with what comes', async () => {
        const [left, right] = [await newTopic(2), await newTopic(2)];
        await log.append(numbers(0, 100).map((n) => record(left, Number(n) % 2, 'k', n)));
        const reader = new Recorder();
        const member = await log.join(unique('group'), [left, right], reader);
        await log.append(numbers(0, 100).map((n) => record(right, Number(n) % 2, 'k', n)));
        await eventually(() => reader.records.length >= 200, '200 records have come');
        for (const topic of [left, right]) {
          for (const partition of [0, 1]) {
            expect(reader.records.filter((each) => each.topic === topic && each.partition === partition).map(text)).toEqual(
              numbers(0, 100).filter((n) => Number(n) % 2 === partition),
            );
          }
        }
        expect([...member.assignment()].sort()).toEqual([0, 1]);
        expect(member.lastPollMs()).toBeGreaterThan(0);
        await member.close();
        // Each partition number is given once, for both topics together, and given back.
        expect(reader.events.sort()).toEqual(['assigned 0', 'assigned 1', 'revoked 0', 'revoked 1']);
        expect(member.assignment()).toEqual([]);
      });

      it('reads each topic from where assigned() says, else from what is committed', async () => {
        const [left, right, group] = [await newTopic(1), await newTopic(1), unique('group')];
        await log.append([left, right].flatMap((topic) => numbers(0, 10).map((n) => record(topic, 0, 'k', n))));
        const transactor = await log.transactor(group, 0, [left, right]);
        await transactor.commit([], { [left]: 6, [right]: 6 });
        await transactor.close();
        const reader = new Recorder(() => ({ [left]: 3 }));
        const member = await log.join(group, [left, right], reader);
        await eventually(() => reader.records.length >= 11, '7 and 4 records have come');
        await member.close();
        expect(reader.texts(left)).toEqual(numbers(3, 10));
        expect(reader.texts(right)).toEqual(numbers(6, 10));
      });

      it('says with each batch where to go on and where the log ends', async () => {
        const [topic, group] = [await newTopic(1), unique('group')];
        await log.append(numbers(0, 20).map((n) => record(topic, 0, 'k', n)));
        const batches: LogBatch[] = [];
        const first = await log.join(group, [topic], new Recorder(undefined, (batch) => void batches.push(batch)));
        await eventually(() => batches.flatMap((batch) => batch.records).length >= 20, '20 records have come');
        await first.close();
        for (const batch of batches) {
          expect(batch.nextOffset).toBeGreaterThan(batch.records.at(-1)?.offset ?? -1);
          expect(batch.highWatermark).toBeGreaterThanOrEqual(batch.nextOffset);
        }
        const transactor = await log.transactor(group, 0, [topic]);
        await transactor.commit([], { [topic]: batches.at(-1)?.nextOffset ?? -1 });
        await transactor.close();
        const again = new Recorder();
        const second = await log.join(group, [topic], again);
        await log.append([record(topic, 0, 'k', 'new')]);
        await eventually(() => again.records.length > 0, 'a record has come');
        await second.close();
        expect(again.texts(topic)).toEqual(['new']);
      });

      it('does not run ahead of its handler', async () => {
        const topic = await newTopic(1);
        await log.append([record(topic, 0, 'k', 'first')]);
        const done = gate();
        const reader = new Recorder(undefined, () => done.opened);
        const member = await log.join(unique('group'), [topic], reader);
        await eventually(() => reader.records.length === 1, 'the first batch has come');
        await log.append([record(topic, 0, 'k', 'second')]);
        await readAll(log, [topic]);
        expect(reader.texts(topic)).toEqual(['first']);
        done.open();
        await eventually(() => reader.records.length === 2, 'the second record has come');
        await member.close();
        expect(reader.events).not.toContain('OVERLAP 0');
      });

      it('starts a partition afresh when its handler rejects a batch: revoked, assigned, and from the offsets it says', async () => {
        const topic = await newTopic(1);
        await log.append(numbers(0, 3).map((n) => record(topic, 0, 'k', n)));
        let failures = 1;
        const reader = new Recorder(undefined, () => {
          if (failures-- > 0) throw new Error('this batch fails, as the test asks');
        });
        const member = await log.join(unique('group'), [topic], reader);
        await eventually(() => reader.records.length >= 4 && reader.texts(topic).at(-1) === '2', 'the records have come again');
        await member.close();
        expect(reader.events).toEqual(['assigned 0', 'revoked 0', 'assigned 0', 'revoked 0']);
        expect(reader.texts(topic).slice(-3)).toEqual(['0', '1', '2']);
      });

      it('starts a partition afresh when a commit fails after its batch was taken, although nothing more is to be read', async () => {
        const topic = await newTopic(1);
        await log.append([record(topic, 0, 'k', 'x')]);
        const fence = Promise.withResolvers<void>();
        let deliveries = 0;
        const reader = new (class extends Recorder {
          override async batches(batches: readonly LogBatch[]): Promise<Delivery> {
            await super.batches(batches);
            return deliveries++ === 0 ? { committed: fence.promise } : COMMITTED;
          }
        })();
        const member = await log.join(unique('group'), [topic], reader);
        await eventually(() => reader.records.length === 1, 'the record has been taken');
        fence.reject(new FencedError('there is a newer owner, as the test asks'));
        await eventually(() => reader.records.length === 2, 'the record has come again');
        await member.close();
        expect(reader.events).toEqual(['assigned 0', 'revoked 0', 'assigned 0', 'revoked 0']);
      });

      it('lets running batches end before it closes', async () => {
        const topic = await newTopic(1);
        await log.append([record(topic, 0, 'k', 'x')]);
        const [started, done] = [gate(), gate()];
        let ended = false;
        const reader = new Recorder(undefined, async () => {
          started.open();
          await done.opened;
          ended = true;
        });
        const member = await log.join(unique('group'), [topic], reader);
        await started.opened;
        const closing = member.close().then(() => expect(ended).toBe(true));
        done.open();
        await closing;
        expect(reader.events).toEqual(['assigned 0', 'revoked 0']);
      });

      it('of two members shares the partitions, and one takes over when the other leaves', async () => {
        const [left, right, group] = [await newTopic(4), await newTopic(4), unique('group')];
        const [one, two] = [new Recorder(), new Recorder()];
        const first = await log.join(group, [left, right], one);
        await eventually(() => one.held.size === 4, 'the only member holds all partitions');
        const second = await log.join(group, [left, right], two);
        const shared = (): boolean => one.held.size > 0 && two.held.size > 0 && new Set([...one.held, ...two.held]).size === 4 && one.held.size + two.held.size === 4;
        await eventually(shared, 'both members hold their share');
        await log.append([0, 1, 2, 3].flatMap((p) => [record(left, p, 'k', `left ${p}`), record(right, p, 'k', `right ${p}`)]));
        await eventually(() => one.records.length + two.records.length >= 8, 'all records have come');
        for (const [member, reader] of [[first, one], [second, two]] as const) {
          expect(reader.records.map((each) => each.partition).every((partition) => member.assignment().includes(partition))).toBe(true);
        }
        await first.close();
        // At once: a member that closes has handed over what it held.
        expect([...second.assignment()].sort()).toEqual([0, 1, 2, 3]);
        await eventually(() => two.held.size === 4, 'the remaining member holds all partitions');
        await second.close();
        expect([...one.events, ...two.events].filter((event) => event.startsWith('OVERLAP'))).toEqual([]);
      });

      it('does not disturb another group', async () => {
        const topic = await newTopic(1);
        await log.append(numbers(0, 10).map((n) => record(topic, 0, 'k', n)));
        const [one, two] = [new Recorder(), new Recorder()];
        const members = [await log.join(unique('group'), [topic], one), await log.join(unique('group'), [topic], two)];
        await eventually(() => one.records.length >= 10 && two.records.length >= 10, 'both have all');
        await Promise.all(members.map((member) => member.close()));
        expect(one.texts(topic)).toEqual(numbers(0, 10));
        expect(two.texts(topic)).toEqual(numbers(0, 10));
      });
    });

    describe('a transactor', () => {
      it('writes outputs to several topics and partitions and commits offsets, together', async () => {
        const [input, left, right, group] = [await newTopic(2), await newTopic(2), await newTopic(2), unique('group')];
        await log.append(numbers(0, 9).map((n) => record(input, 1, 'k', n)));
        const transactor = await log.transactor(group, 1, [input]);
        expect(await transactor.committed()).toEqual({});
        await transactor.commit([record(left, 1, 'k', 'l1'), record(right, 1, 'k', 'r1'), record(left, 0, 'k', 'l0')], { [input]: 4 });
        await transactor.commit([record(left, 1, 'k', 'l2')], { [input]: 7 });
        await transactor.commit([], { [input]: 9 });
        expect(await transactor.committed()).toEqual({ [input]: 9 });
        await transactor.close();
        expect((await readAll(log, [left, right])).map(text)).toEqual(['l0', 'l1', 'l2', 'r1']);
      });

      it('fences the one before it, whose outputs and offsets then come to nothing', async () => {
        const [input, output, group] = [await newTopic(1), await newTopic(1), unique('group')];
        await log.append(numbers(0, 9).map((n) => record(input, 0, 'k', n)));
        const zombie = await log.transactor(group, 0, [input]);
        await zombie.commit([record(output, 0, 'k', 'old')], { [input]: 1 });
        const owner = await log.transactor(group, 0, [input]);
        expect(await owner.committed()).toEqual({ [input]: 1 });
        await expect(zombie.commit([record(output, 0, 'k', 'zombie')], { [input]: 2 })).rejects.toThrow(FencedError);
        await owner.commit([record(output, 0, 'k', 'new')], { [input]: 3 });
        await expect(zombie.commit([record(output, 0, 'k', 'zombie')], { [input]: 4 })).rejects.toThrow(FencedError);
        expect(await owner.committed()).toEqual({ [input]: 3 });
        await zombie.close();
        await owner.close();
        expect((await readAll(log, [output])).map(text)).toEqual(['old', 'new']);
      });

      it('of another partition or group is left alone', async () => {
        const [input, output, group] = [await newTopic(2), await newTopic(2), unique('group')];
        await log.append([record(input, 0, 'k', 'x'), record(input, 1, 'k', 'x')]);
        const one = await log.transactor(group, 0, [input]);
        const others = [await log.transactor(group, 1, [input]), await log.transactor(unique('group'), 0, [input])];
        await one.commit([record(output, 0, 'k', 'still mine')], { [input]: 1 });
        expect((await readAll(log, [output])).map(text)).toEqual(['still mine']);
        await Promise.all([one, ...others].map((each) => each.close()));
      });

      it('commits several megabytes at once, in order', async () => {
        const [input, output, group] = [await newTopic(1), await newTopic(1), unique('group')];
        await log.append([record(input, 0, 'k', 'x')]);
        const transactor = await log.transactor(group, 0, [input]);
        const outputs = numbers(0, 40).map((n) => ({ ...record(output, 0, n, ''), value: new Uint8Array(100_000).fill(Number(n)) }));
        await transactor.commit(outputs, { [input]: 1 });
        await transactor.close();
        expect((await readAll(log, [output])).map((each) => [each.key, each.value.length, each.value[99_999]])).toEqual(
          numbers(0, 40).map((n) => [n, 100_000, Number(n)]),
        );
      });

      it('does not disturb the order of records that are appended beside it', async () => {
        const [input, output, group] = [await newTopic(1), await newTopic(1), unique('group')];
        await log.append([record(input, 0, 'k', 'x')]);
        const transactor = await log.transactor(group, 0, [input]);
        const committing = (async () => {
          for (const n of numbers(0, 20)) await transactor.commit([record(output, 0, 'committed', n)], { [input]: 1 });
        })();
        await Promise.all([committing, ...numbers(0, 20).map((n) => log.append([record(output, 0, 'appended', n)]))]);
        await transactor.close();
        const read = await readAll(log, [output]);
        for (const key of ['committed', 'appended']) {
          expect(read.filter((each) => each.key === key).map(text)).toEqual(numbers(0, 20));
        }
      });
    });

    it('is healthy, and what was committed is there when it is opened anew', async () => {
      expect(await log.healthy()).toBe(true);
      if (!opened.reopen) return;
      const [input, output, group] = [await newTopic(2), await newTopic(2), unique('group')];
      await log.append(numbers(0, 5).map((n) => record(input, 1, 'k', n)));
      const transactor = await log.transactor(group, 1, [input]);
      await transactor.commit([record(output, 1, 'k', 'out')], { [input]: 2 });
      log = await opened.reopen();
      const successor = await log.transactor(group, 1, [input]);
      expect(await successor.committed()).toEqual({ [input]: 2 });
      await successor.close();
      expect((await readAll(log, [input, output])).map(text)).toEqual([...numbers(0, 5), 'out']);
      const reader = new Recorder();
      const member = await log.join(group, [input], reader);
      await eventually(() => reader.records.length >= 3, 'the rest has come');
      await member.close();
      expect(reader.texts(input)).toEqual(numbers(2, 5));
    });
  });
}
