import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startKafka, type KafkaServer } from '@millwright/servers';
import { COMMITTED, type Delivery, type EventLog, type GroupHandler, type LogBatch, type Offsets, type Transactor } from '../log.js';
import type { RuntimeLogger } from '../runtime.js';
import { eventually, readAll, record, text, topicSpec } from '../testing/fixtures.js';
import { openKafkaLog } from './kafka-log.js';

const silent: RuntimeLogger = { info: () => undefined, warn: () => undefined, error: () => undefined };
const GROUP = 'copying';
const PARTITIONS = [0, 1, 2];

/** Copies records from one topic to another, a transaction a batch; numbered as a task does it, the same at each repetition. */
class Copier implements GroupHandler {
  /** Offset up to which each partition has been copied. */
  readonly copied = new Map<number, number>();
  readonly #transactors = new Map<number, Transactor>();

  constructor(
    private readonly log: EventLog,
    private readonly from: string,
    private readonly to: string,
  ) {}

  async assigned(partition: number): Promise<Offsets> {
    const transactor = await this.log.transactor(GROUP, partition, [this.from], [this.to]);
    this.#transactors.set(partition, transactor);
    return transactor.committed();
  }

  async batches([batch]: readonly LogBatch[]): Promise<Delivery> {
    const { partition, records, nextOffset } = batch!;
    await this.#transactors.get(partition)!.commit(
      records.map(({ key, value, timeMs, headers }) => ({ topic: this.to, partition, key, value, timeMs, headers: { ...headers, source: `${GROUP}/${partition}/${this.from}` } })),
      { [this.from]: nextOffset },
    );
    this.copied.set(partition, nextOffset);
    return COMMITTED;
  }

  async revoked(partition: number): Promise<void> {
    await this.#transactors.get(partition)?.close();
    this.#transactors.delete(partition);
  }
}

describe('a Kafka that is killed at work', () => {
  let server: KafkaServer;
  const logs: EventLog[] = [];
  const open = (): EventLog => {
    const log = openKafkaLog({ brokers: server.brokers, clientId: 'test', logger: silent });
    logs.push(log);
    return log;
  };
  beforeAll(async () => {
    server = await startKafka();
  });
  afterAll(async () => {
    await Promise.all(logs.map((log) => log.close()));
    await server.stop();
  });

  it('loses and doubles nothing, keeps the order, and all goes on by itself', async () => {
    const log = open();
    await log.createTopics([topicSpec('in', PARTITIONS.length), topicSpec('out', PARTITIONS.length)]);
    const copiers = [new Copier(open(), 'in', 'out'), new Copier(open(), 'in', 'out')];
    const members = await Promise.all(copiers.map((copier, i) => logs[i + 1]!.join(GROUP, ['in'], copier)));
    const copiedOf = (p: number): number => Math.max(...copiers.map((copier) => copier.copied.get(p) ?? 0));
    const copied = (): number => PARTITIONS.reduce((sum, p) => sum + copiedOf(p), 0);

    let appended = 0;
    let isOver = false;
    const appending = (async () => {
      for (; !isOver; appended++) {
        await Promise.all(PARTITIONS.flatMap((p) => [0, 1, 2].map((i) => log.append([record('in', p, 'k', `${3 * appended + i}`, 3 * appended + i)]))));
      }
    })();
    for (let kills = 0; kills < 3; kills++) {
      const before = copied();
      await eventually(() => copied() > before + 500, '500 more records are copied');
      await server.kill('SIGKILL');
      expect(await log.healthy()).toBe(false);
      await server.restart();
    }
    const restartedAt = appended;
    await eventually(() => appended > restartedAt + 100, 'more records are appended');
    isOver = true;
    await appending;
    const expected = Array.from({ length: 3 * appended }, (_, i) => `${i}`);
    const ends = await log.endOffsets('in');
    await eventually(() => PARTITIONS.every((p) => copiedOf(p) === ends[p]), 'all records are copied', 60_000);
    expect(await log.healthy()).toBe(true);
    for (const member of members) expect(Date.now() - member.lastPollMs()).toBeLessThan(10_000);
    await Promise.all(members.map((member) => member.close()));
    for (const topic of ['in', 'out']) {
      const records = await readAll(log, [topic]);
      for (const p of PARTITIONS) expect(records.filter(({ partition }) => partition === p).map(text)).toEqual(expected);
    }
  }, 120_000);
});
