import { setTimeout as delay } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { FETCH } from './broker.js';

const TOPIC = 'bench-round-trip';
const WARM_UP = 100;
const VALUE = Buffer.alloc(100);

/** Bare round trips on a Kafka, one after the other: milliseconds from producing a small record (acks all) to consuming it (read_committed). */
export async function roundTrips(brokers: readonly string[], count: number): Promise<number[]> {
  const kafka = new kafkajs.Kafka({ brokers: [...brokers], clientId: 'bench-round-trip', logLevel: kafkajs.logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 1 }], waitForLeaders: true });
  await admin.disconnect();
  const consumer = kafka.consumer({ groupId: `${TOPIC}-${Date.now()}`, ...FETCH });
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
  let arrived: ((atMs: number) => void) | undefined;
  await Promise.all([consumer.connect(), producer.connect()]);
  await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: () => {
      arrived?.(performance.now());
      return Promise.resolve();
    },
  });
  await joined;
  const took: number[] = [];
  for (let i = 0; i < WARM_UP + count; i++) {
    const arrival = new Promise<number>((resolve) => (arrived = resolve));
    const began = performance.now();
    await producer.send({ topic: TOPIC, acks: -1, messages: [{ value: VALUE }] });
    const ended = await arrival;
    if (i >= WARM_UP) took.push(ended - began);
    await delay(5);
  }
  await Promise.all([consumer.disconnect(), producer.disconnect()]);
  return took;
}
