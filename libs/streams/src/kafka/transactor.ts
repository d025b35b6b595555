import { randomUUID } from 'node:crypto';
import type { Kafka, Producer, Transaction } from 'kafkajs';
import { FencedError, type Offsets, type Transactor } from '../log.js';
import type { NewRecord } from '../record.js';
import { partitionOfMessage } from './appender.js';
import { refuseTooLarge, requests } from './batching.js';
import { TRANSACTIONAL } from './driver.js';
import { hasType, isFence, isLostTransaction, mayPass } from './errors.js';
import type { CommittedOffset, Inquiry } from './inquiry.js';

/** A transaction that its owner leaves open holds up the readers of its topics until the broker aborts it. */
const TRANSACTION_TIMEOUT_MS = 30_000;
/** How long a commit is tried again; brokers restart in less. */
const PATIENCE_MS = 60_000;

/**
 * Writes as `<group>-<partition>`: by this transactional id the broker fences whoever wrote under it before. kafkajs cannot send the
 * group generation with the offsets, so this id is what keeps a zombie out.
 *
 * A broker that dies while it ends a transaction leaves open whether it did. Every commit therefore leaves a note of its own with
 * its offsets; a successor producer, whose start makes the broker finish or abort what was under way, finds by that note what happened.
 */
export class KafkaTransactor implements Transactor {
  readonly #kafka: Kafka;
  readonly #inquiry: Inquiry;
  readonly #group: string;
  readonly #partition: number;
  readonly #topics: readonly string[];
  readonly #id = randomUUID();
  #producer: Producer | undefined;
  /** What the group has committed, as far as is known. */
  #committed: Readonly<Record<string, CommittedOffset>> = {};
  /** What a commit that failed would have made of it. */
  #attempted: Readonly<Record<string, CommittedOffset>> | undefined;
  #commits = 0;
  #isFenced = false;

  private constructor(kafka: Kafka, inquiry: Inquiry, group: string, partition: number, topics: readonly string[]) {
    this.#kafka = kafka;
    this.#inquiry = inquiry;
    this.#group = group;
    this.#partition = partition;
    this.#topics = topics;
  }

  static async open(kafka: Kafka, inquiry: Inquiry, group: string, partition: number, topics: readonly string[]): Promise<KafkaTransactor> {
    const transactor = new KafkaTransactor(kafka, inquiry, group, partition, topics);
    await transactor.#openProducer();
    transactor.#committed = await transactor.#readCommitted();
    return transactor;
  }

  async committed(): Promise<Offsets> {
    this.#refuseFenced();
    await this.#settle();
    return Object.fromEntries(Object.entries(this.#committed).map(([topic, { offset }]) => [topic, offset]));
  }

  async commit(outputs: readonly NewRecord[], offsets: Offsets): Promise<void> {
    this.#refuseFenced();
    if (this.#attempted) throw new Error(`The last commit of ${this.#name} failed or may have failed: committed() has to settle it before the next.`);
    refuseTooLarge(outputs);
    const note = `${this.#id}/${++this.#commits}`;
    const attempted = { ...this.#committed, ...Object.fromEntries(Object.entries(offsets).map(([topic, offset]) => [topic, { offset, note }])) };
    for (const deadline = Date.now() + PATIENCE_MS; ; ) {
      try {
        this.#producer ??= await this.#openProducer();
        await this.#transact(this.#producer, outputs, offsets, note);
        this.#committed = attempted;
        return;
      } catch (error) {
        await this.#closeProducer();
        if (isFence(error)) {
          this.#isFenced = true;
          throw new FencedError(`${this.#name} has a newer owner.`, { cause: error });
        }
        this.#attempted = attempted;
        if (Date.now() > deadline || (!mayPass(error) && !isLostTransaction(error))) throw error;
        if (await this.#settle()) return;
      }
    }
  }

  async close(): Promise<void> {
    await this.#closeProducer();
  }

  get #name(): string {
    return `${this.#group}-${this.#partition}`;
  }

  #refuseFenced(): void {
    if (this.#isFenced) throw new FencedError(`${this.#name} has a newer owner.`);
  }

  /**
   * Finds out whether the last commit took place, when that is unknown; resolves to whether it did.
   * @throws FencedError when neither it nor what was before is what is committed: then a newer owner has been at work.
   */
  async #settle(): Promise<boolean> {
    const attempted = this.#attempted;
    if (!attempted) return false;
    // Its start fences and ends what went before, so that what is committed then is final.
    this.#producer ??= await this.#openProducer();
    const found = await this.#readCommitted();
    const tookPlace = isSame(found, attempted);
    if (!tookPlace && !isSame(found, this.#committed)) {
      await this.#closeProducer();
      this.#isFenced = true;
      throw new FencedError(`${this.#name} has a newer owner, which has committed meanwhile.`);
    }
    this.#committed = found;
    this.#attempted = undefined;
    return tookPlace;
  }

  async #openProducer(): Promise<Producer> {
    const producer = this.#kafka.producer({
      transactionalId: this.#name,
      transactionTimeout: TRANSACTION_TIMEOUT_MS,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: () => partitionOfMessage,
      retry: TRANSACTIONAL,
    });
    try {
      await producer.connect();
      // The first transaction gets the producer id, by which the broker fences earlier owners.
      await (await producer.transaction()).abort();
    } catch (error) {
      await producer.disconnect();
      throw error;
    }
    this.#producer = producer;
    return producer;
  }

  async #closeProducer(): Promise<void> {
    const producer = this.#producer;
    this.#producer = undefined;
    await producer?.disconnect();
  }

  async #transact(producer: Producer, outputs: readonly NewRecord[], offsets: Offsets, note: string): Promise<void> {
    const topics = Object.entries(offsets).map(([topic, offset]) => ({
      topic,
      partitions: [{ partition: this.#partition, offset: `${offset}`, metadata: note }],
    }));
    const transaction = await producer.transaction();
    for (const topicMessages of requests(outputs)) await transaction.sendBatch({ acks: -1, topicMessages });
    if (topics.length > 0) await sendOffsets(transaction, this.#group, topics);
    await transaction.commit();
  }

  #readCommitted(): Promise<Record<string, CommittedOffset>> {
    return this.#inquiry.committed(this.#group, this.#partition, this.#topics);
  }
}

type TopicOffsets = Parameters<Transaction['sendOffsets']>[0]['topics'];

/** kafkajs repeats a send, but not this, while the broker still ends the last transaction. */
async function sendOffsets(transaction: Transaction, consumerGroupId: string, topics: TopicOffsets): Promise<void> {
  for (let tries = 0, delay = TRANSACTIONAL.initialRetryTime; ; tries++, delay = Math.min(2 * delay, TRANSACTIONAL.maxRetryTime)) {
    try {
      return await transaction.sendOffsets({ consumerGroupId, topics });
    } catch (error) {
      if (tries >= TRANSACTIONAL.retries || !hasType(error, 'CONCURRENT_TRANSACTIONS')) throw error;
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  }
}

function isSame(one: Readonly<Record<string, CommittedOffset>>, other: Readonly<Record<string, CommittedOffset>>): boolean {
  const topics = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...topics].every((topic) => one[topic]?.offset === other[topic]?.offset && one[topic]?.note === other[topic]?.note);
}
