import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startKafka, type KafkaServer } from '@millwright/servers';
import type { Broker, Kafka } from 'kafkajs';
import type { EventLog } from '../log.js';
import type { RuntimeLogger } from '../runtime.js';
import type { NewRecord } from '../record.js';
import { readAll, record, text, topicSpec, unique } from '../testing/fixtures.js';
import { agreeOnTransactions } from '../testing/transaction-version.js';
import { requests } from './batching.js';
import { openCluster, openDriver } from './driver.js';
import { isFence } from './errors.js';
import { Inquiry } from './inquiry.js';
import { openKafkaLog } from './kafka-log.js';
import type { TopicOffsets } from './transaction-protocol.js';
import { TransactionalProducer } from './transactional-producer.js';

const silent: RuntimeLogger = { info: () => undefined, warn: () => undefined, error: () => undefined };

describe.each([1, 2])('transactions of a cluster with transaction.version %i', (version) => {
  let server: KafkaServer;
  let log: EventLog;
  let inquiry: Inquiry;
  let [group, input, output, other] = ['', '', '', ''];
  const driver = (): Kafka => openDriver({ brokers: server.brokers, clientId: 'test', logger: silent });
  beforeAll(async () => {
    server = await startKafka();
    await agreeOnTransactions(driver(), version);
    log = openKafkaLog({ brokers: server.brokers, clientId: 'test', logger: silent });
    inquiry = new Inquiry(driver());
  });
  afterAll(async () => {
    await inquiry.close();
    await log.close();
    await server.stop();
  });
  beforeEach(async () => {
    [group, input, output, other] = [unique('group'), unique('in'), unique('out'), unique('other')];
    await log.createTopics([topicSpec(input, 2), topicSpec(output, 2), topicSpec(other, 2)]);
    // Nothing is tried again here: leaders and the group's coordinator have to be at work.
    await Promise.all([output, other].map((topic) => inquiry.endOffsets(topic)));
    await committed();
  });

  const open = (): Promise<TransactionalProducer> => TransactionalProducer.open(driver(), `${group}-1`, group, 30_000);
  const to = (topic: string, ...texts: string[]): NewRecord[] => texts.map((each) => record(topic, 1, 'k', each));
  const upTo = (offset: number): TopicOffsets[] => [{ topic: input, partitions: [{ partition: 1, offset: `${offset}`, metadata: `note ${offset} – ü` }] }];
  const texts = async (topic: string): Promise<string[]> => (await readAll(log, [topic])).map(text);
  const committed = () => inquiry.committed(group, 1, [input]);

  it('commit records and offsets, or neither', async () => {
    const producer = await open();
    for (let i = 1; i <= 5; i++) {
      await producer.send([...requests([...to(output, `${i}a`, `${i}b`), ...to(other, `${i}`)]), ...requests(to(output, `${i}c`))], upTo(i));
      await producer.end(i !== 3);
    }
    await producer.ended();
    expect(await committed()).toEqual({ [input]: { offset: 5, note: 'note 5 – ü' } });
    expect(await texts(output)).toEqual(['1a', '1b', '1c', '2a', '2b', '2c', '4a', '4b', '4c', '5a', '5b', '5c']);
    expect(await texts(other)).toEqual(['1', '2', '4', '5']);
    // After three records and a marker for each transaction but the last, its three.
    expect(producer.ends).toEqual({ [output]: 4 * 4 + 3, [other]: 4 * 2 + 1 });
    await producer.close();
  });

  it('may be of records alone, of offsets alone, or take a group in without offsets', async () => {
    const producer = await open();
    await producer.send(requests(to(output, '1')), undefined);
    await producer.end(true);
    await producer.send([], upTo(7));
    await producer.end(true);
    await producer.send(requests(to(output, '2')), []);
    await producer.end(false);
    await producer.send(requests(to(output, '3')), []);
    await producer.end(true);
    await producer.ended();
    expect(await texts(output)).toEqual(['1', '3']);
    expect(await committed()).toEqual({ [input]: { offset: 7, note: 'note 7 – ü' } });
    await producer.close();
  });

  it.each([
    ['begins', 0],
    ['sends', 1],
    ['ends', 2],
  ])('fence an owner that %s when another has taken over', async (_, step) => {
    const old = await open();
    await old.send(requests(to(output, 'before')), upTo(1));
    await old.end(true);
    await old.ended();
    if (step > 0) await old.send([], upTo(2));
    if (step > 1) await old.send(requests(to(output, 'lost')), undefined);
    const successor = await open();
    const goOn = async (): Promise<void> => {
      if (step < 2) await old.send(requests(to(output, 'zombie')), step === 0 ? upTo(2) : undefined);
      await old.end(true);
    };
    const error: unknown = await goOn().catch((reason: unknown) => reason);
    expect(isFence(error)).toBe(true);
    await successor.send(requests(to(output, 'after')), upTo(3));
    await successor.end(true);
    await successor.ended();
    expect(await texts(output)).toEqual(['before', 'after']);
    expect(await committed()).toEqual({ [input]: { offset: 3, note: 'note 3 – ü' } });
    await old.close();
    await successor.close();
  });

  it('are of one epoch of the producer each where the cluster has that', async () => {
    const producer = await open();
    for (let i = 1; i <= 3; i++) {
      await producer.send(requests(to(output, `${i}`)), upTo(i));
      await producer.end(true);
    }
    await producer.close();
    const [first, second, third] = await epochs(output);
    expect([second! - first!, third! - second!]).toEqual(version === 1 ? [0, 0] : [1, 1]);
  });

  /** Epochs that the records of a topic were written in. */
  async function epochs(topic: string): Promise<number[]> {
    const cluster = openCluster(driver());
    try {
      await cluster.connect();
      await cluster.addTargetTopic(topic);
      const { leader } = cluster.findTopicPartitionMetadata(topic)[1]!;
      const broker = (await cluster.findBroker({ nodeId: `${leader}` })) as unknown as FetchingBroker;
      const wanted = { topic, partitions: [{ partition: 1, fetchOffset: '0', maxBytes: 1_048_576 }] };
      const { responses } = await broker.fetch({ replicaId: -1, isolationLevel: 0, maxWaitTime: 100, minBytes: 1, maxBytes: 1_048_576, topics: [wanted] });
      return responses[0]!.partitions[0]!.messages.filter(({ isControlRecord }) => !isControlRecord).map(({ batchContext }) => batchContext.producerEpoch);
    } finally {
      await cluster.disconnect();
    }
  }
});

type FetchingBroker = Omit<Broker, 'fetch'> & {
  fetch(request: object): Promise<{ readonly responses: readonly { readonly partitions: readonly { readonly messages: readonly Fetched[] }[] }[] }>;
};

interface Fetched {
  readonly isControlRecord: boolean;
  readonly batchContext: { readonly producerEpoch: number };
}
