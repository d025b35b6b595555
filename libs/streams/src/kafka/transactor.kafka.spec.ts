import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startKafka, type KafkaServer } from '@millwright/servers';
import type { EventLog } from '../log.js';
import type { NewRecord } from '../record.js';
import type { RuntimeLogger } from '../runtime.js';
import { readAll, record, text, topicSpec, unique } from '../testing/fixtures.js';
import { agreeOnTransactions } from '../testing/transaction-version.js';
import { requests } from './batching.js';
import { openDriver } from './driver.js';
import { openKafkaLog } from './kafka-log.js';
import { Inquiry } from './inquiry.js';
import { decodeReceipt, encodeReceipt, type Receipt } from './receipt.js';
import { TransactionalProducer } from './transactional-producer.js';

const silent: RuntimeLogger = { info: () => undefined, warn: () => undefined, error: () => undefined };

/**
 * What Kafka leaves behind when its only broker is killed between the markers of one transaction is made here by two transactions:
 * of a commit, either the records or the offsets.
 */
describe.each([1, 2])('a commit of which Kafka has lost a part, with transaction.version %i', (version) => {
  let server: KafkaServer;
  let log: EventLog;
  let inquiry: Inquiry;
  let group: string;
  let [input, output, other] = ['', '', ''];
  const options = () => ({ brokers: server.brokers, clientId: 'test', logger: silent });
  beforeAll(async () => {
    server = await startKafka();
    await agreeOnTransactions(openDriver(options()), version);
    log = openKafkaLog(options());
    inquiry = new Inquiry(openDriver(options()));
  });
  afterAll(async () => {
    await inquiry.close();
    await log.close();
    await server.stop();
  });
  beforeEach(async () => {
    group = unique('group');
    [input, output, other] = [unique('in'), unique('out'), unique('other')];
    await log.createTopics([topicSpec(input, 1), topicSpec(output, 1), topicSpec(other, 1)]);
  });

  const numbered = (topic: string, from: number, to: number): NewRecord[] =>
    Array.from({ length: to - from + 1 }, (_, i) => {
      const each = record(topic, 0, 'k', `${from + i}`, from + i);
      return { ...each, headers: { ...each.headers, source: `${group}/0/${input}` } };
    });
  const open = () => log.transactor(group, 0, [input], [output, other]);
  const texts = async (topic: string): Promise<string[]> => (await readAll(log, [topic])).map(text);
  const upTo = (last: number): string[] => Array.from({ length: last }, (_, i) => `${i + 1}`);

  /** Writes one half of a commit in the name of the group's transactor. */
  async function half(records: readonly NewRecord[], offset?: { readonly offset: number; readonly note: string }): Promise<void> {
    const producer = await TransactionalProducer.open(openDriver(options()), `${group}-0`, group, 30_000);
    await producer.send(requests(records), offset && [{ topic: input, partitions: [{ partition: 0, offset: `${offset.offset}`, metadata: offset.note }] }]);
    await producer.end(true);
    await producer.close();
  }

  /** The receipt of the last commit, as another commit after it would leave it. */
  async function nextReceipt(wrote: readonly (readonly [topic: string, last: number])[]): Promise<string> {
    const { offset, note } = (await inquiry.committed(group, 0, [input]))[input]!;
    const last = decodeReceipt(note) as Receipt;
    return encodeReceipt({ ...last, number: last.number + 1, before: { [input]: offset }, wrote: new Map(wrote.map(([topic, each]) => [`${topic} ${group}/0/${input}`, each])) });
  }

  it('writes no record again whose offsets were lost, however the work is cut at its repetition', async () => {
    const first = await open();
    await first.commit(numbered(output, 1, 5), { [input]: 5 });
    await first.close();
    await half(numbered(output, 6, 12));

    const second = await open();
    expect(await second.committed()).toEqual({ [input]: 5 });
    await second.commit(numbered(output, 6, 8), { [input]: 8 });
    await second.close();
    // A successor has to know what is there as well.
    const third = await open();
    expect(await third.committed()).toEqual({ [input]: 8 });
    await third.commit(numbered(output, 9, 14), { [input]: 14 });
    await third.commit(numbered(output, 15, 16), { [input]: 16 });
    await third.close();
    const fourth = await open();
    expect(await fourth.committed()).toEqual({ [input]: 16 });
    await fourth.close();
    expect(await texts(output)).toEqual(upTo(16));
  });

  it('does so for the very first commit', async () => {
    const first = await open();
    await first.commit([], { [input]: 0 });
    await first.close();
    await half(numbered(output, 1, 3));

    const second = await open();
    await second.commit(numbered(output, 1, 4), { [input]: 4 });
    await second.close();
    expect(await texts(output)).toEqual(upTo(4));
  });

  it('goes back to the offsets before records that were lost, and writes those alone', async () => {
    const first = await open();
    await first.commit([...numbered(output, 1, 5), ...numbered(other, 1, 5)], { [input]: 5 });
    await first.close();
    const note = await nextReceipt([[output, 9], [other, 9]]);
    await half(numbered(other, 6, 9), { offset: 9, note });

    const second = await open();
    expect(await second.committed()).toEqual({ [input]: 5 });
    await second.commit([...numbered(output, 6, 7), ...numbered(other, 6, 7)], { [input]: 7 });
    await second.commit([...numbered(output, 8, 11), ...numbered(other, 8, 11)], { [input]: 11 });
    await second.complete();
    await second.close();
    const third = await open();
    expect(await third.committed()).toEqual({ [input]: 11 });
    await third.close();
    expect(await texts(output)).toEqual(upTo(11));
    expect(await texts(other)).toEqual(upTo(11));
  });
});
