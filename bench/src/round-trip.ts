import { setTimeout as delay } from 'node:timers/promises';
import kafkajs, { type Consumer, type Producer } from 'kafkajs';
import { FETCH } from './broker.js';

const TOPIC = 'bench-round-trip';
const WARM_UP = 100;
/** Between two of them, so that they are no load of their own: 5 ms apart they took a twentieth of a core here, and the broker something. */
const REST_MS = 20;
const VALUE = Buffer.alloc(100);

/** A bare producer and a bare consumer on a topic of their own. */
export class RoundTrips {
  readonly #producer: Producer;
  readonly #consumer: Consumer;
  #arrived: ((atMs: number) => void) | undefined;

  private constructor(producer: Producer, consumer: Consumer) {
    this.#producer = producer;
    this.#consumer = consumer;
  }

  static async open(brokers: readonly string[]): Promise<RoundTrips> {
    const kafka = new kafkajs.Kafka({ brokers: [...brokers], clientId: TOPIC, logLevel: kafkajs.logLevel.NOTHING });
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 1 }], waitForLeaders: true });
    await admin.disconnect();
    const consumer = kafka.consumer({ groupId: TOPIC, ...FETCH });
    const trips = new RoundTrips(kafka.producer({ idempotent: true, maxInFlightRequests: 1 }), consumer);
    const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
    await Promise.all([consumer.connect(), trips.#producer.connect()]);
    await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: () => {
        trips.#arrived?.(performance.now());
        return Promise.resolve();
      },
    });
    await joined;
    for (let i = 0; i < WARM_UP; i++) await trips.once();
    return trips;
  }

  /** Milliseconds from producing a small record (acks all) to consuming it (read_committed). */
  async once(): Promise<number> {
    const arrival = new Promise<number>((resolve) => (this.#arrived = resolve));
    const began = performance.now();
    await this.#producer.send({ topic: TOPIC, acks: -1, messages: [{ value: VALUE }] });
    const took = (await arrival) - began;
    await delay(REST_MS);
    return took;
  }

  /** Round trips, one after the other, until told to stop. */
  async until(stop: AbortSignal): Promise<number[]> {
    const took: number[] = [];
    while (!stop.aborted) took.push(await this.once());
    return took;
  }

  async close(): Promise<void> {
    await Promise.all([this.#consumer.disconnect(), this.#producer.disconnect()]);
  }
}
