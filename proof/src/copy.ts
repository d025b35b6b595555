import { TOPICS } from '@millwright/contracts';
import kafkajs, { type KafkaMessage } from 'kafkajs';

/** What the line reads from outside: all else follows from it. */
export const INPUTS: readonly string[] = [TOPICS.telemetry, TOPICS.production].map(({ name }) => name);

/** A record of one of the input topics. */
export interface InputRecord {
  readonly topic: string;
  readonly partition: number;
  readonly message: KafkaMessage;
}

const kafkaAt = (brokers: readonly string[]): kafkajs.Kafka => new kafkajs.Kafka({ brokers: [...brokers], clientId: 'proof', logLevel: kafkajs.logLevel.NOTHING });

/** All records of the input topics, partition by partition in their order. */
export async function readInputs(brokers: readonly string[], take: (records: readonly InputRecord[]) => Promise<void>): Promise<void> {
  const kafka = kafkaAt(brokers);
  const admin = kafka.admin();
  await admin.connect();
  const left = new Map<string, number>();
  for (const topic of INPUTS) for (const { partition, high } of await admin.fetchTopicOffsets(topic)) if (Number(high) > 0) left.set(`${topic}/${partition}`, Number(high));
  await admin.disconnect();
  const consumer = kafka.consumer({ groupId: `proof-copy-${process.pid}-${Date.now()}` });
  await consumer.connect();
  await consumer.subscribe({ topics: [...INPUTS], fromBeginning: true });
  const done = Promise.withResolvers<void>();
  await consumer.run({
    autoCommit: false,
    async eachBatch({ batch: { topic, partition, messages } }) {
      await take(messages.map((message) => ({ topic, partition, message })));
      const place = `${topic}/${partition}`;
      if (Number(messages.at(-1)?.offset ?? -1) + 1 >= (left.get(place) ?? 0)) left.delete(place);
      if (left.size === 0) done.resolve();
    },
  });
  if (left.size === 0) done.resolve();
  await done.promise;
  await consumer.disconnect();
}

/** Copies the input topics from one Kafka into the same topics, partitions and order of another, byte for byte. */
export async function copyInputs(from: readonly string[], to: readonly string[]): Promise<void> {
  const producer = kafkaAt(to).producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false, createPartitioner: () => ({ message }) => message.partition! });
  await producer.connect();
  await readInputs(from, async (records) => {
    const [first] = records;
    if (first === undefined) return;
    const messages = records.map(({ partition, message: { key, value, headers, timestamp } }) => ({ key, value, partition, timestamp, ...(headers && { headers }) }));
    await producer.send({ topic: first.topic, acks: -1, messages });
  });
  await producer.disconnect();
}
