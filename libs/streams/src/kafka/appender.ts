import { setTimeout as pause } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import type { NewRecord } from '../record.js';
import { refuseTooLarge, RequestBuilder } from './batching.js';
import { IdempotentProducer } from './idempotent-producer.js';
import type { Inquiry } from './inquiry.js';

/**
 * From one request to the next, at least: what comes meanwhile goes together. As long as Kafka's own producer lingers since 4.0 (KIP-1030),
 * for the same reason: fewer requests leave brokers and readers more time for each. Who calls less often is not kept waiting.
 */
const LINGER_MS = 5;

/** One call of append() that waits, or is under way. */
interface Call {
  readonly records: readonly NewRecord[];
  /** Index of the first record that is in no request yet. */
  next: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Writes records outside of transactions, once and in order: an idempotent producer with one request under way. What callers bring
 * meanwhile goes with the next request, so that many small calls cost few round trips.
 */
export class Appender {
  readonly #kafka: Kafka;
  readonly #inquiry: Inquiry;
  #producer: IdempotentProducer | undefined;
  #waiting: Call[] = [];
  #draining: Promise<void> | undefined;
  #sentAtMs = -Infinity;
  #closed = false;

  constructor(kafka: Kafka, inquiry: Inquiry) {
    this.#kafka = kafka;
    this.#inquiry = inquiry;
  }

  async append(records: readonly NewRecord[]): Promise<void> {
    if (records.length === 0) return;
    if (this.#closed) throw new Error('This log is closed.');
    refuseTooLarge(records);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ records, next: 0, resolve, reject });
    this.#draining ??= this.#drain();
    await promise;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#draining;
    await this.#producer?.close();
    this.#producer = undefined;
  }

  async #drain(): Promise<void> {
    // Calls of the same turn go together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const restMs = this.#sentAtMs + LINGER_MS - performance.now();
      if (restMs > 0 && !this.#closed) await pause(restMs);
      this.#sentAtMs = performance.now();
      const { request, calls } = await this.#nextRequest();
      try {
        if (calls.length > 0) await this.#send(request);
        for (const call of calls) if (call.next === call.records.length) call.resolve();
      } catch (error) {
        for (const call of calls) call.reject(error as Error);
        this.#waiting = this.#waiting.filter((call) => !calls.includes(call));
      }
    }
    this.#draining = undefined;
  }

  /** Takes records from the calls that wait, in order, until the request is full. */
  async #nextRequest(): Promise<{ request: RequestBuilder; calls: Call[] }> {
    const request = new RequestBuilder();
    const calls: Call[] = [];
    for (let call = this.#waiting[0]; call; call = this.#waiting[0]) {
      if (call.next === 0) {
        try {
          await this.#checkPartitions(call.records);
        } catch (error) {
          // Its neighbours in the request are not to suffer for it.
          this.#waiting.shift();
          call.reject(error as Error);
          continue;
        }
      }
      const from = call.next;
      while (call.next < call.records.length && request.add(call.records[call.next]!)) call.next++;
      if (call.next > from) calls.push(call);
      if (call.next < call.records.length) break;
      this.#waiting.shift();
    }
    return { request, calls };
  }

  async #checkPartitions(records: readonly NewRecord[]): Promise<void> {
    for (const { topic, partition } of records) {
      const count = this.#inquiry.knownPartitions(topic) ?? (await this.#inquiry.partitions(topic));
      if (partition < 0 || partition >= count) throw new Error(`Topic ${topic} has ${count} partitions: there is no partition ${partition}.`);
    }
  }

  async #send(request: RequestBuilder): Promise<void> {
    try {
      this.#producer ??= await IdempotentProducer.open(this.#kafka);
      await this.#producer.send(request.batches);
    } catch (error) {
      // Whether the broker has it is unknown, and the numbers of its records are used up. A new producer has numbers of its own.
      const producer = this.#producer;
      this.#producer = undefined;
      await producer?.close();
      throw error;
    }
  }
}
