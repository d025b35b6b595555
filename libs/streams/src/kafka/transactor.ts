import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Kafka, TopicMessages } from 'kafkajs';
import { FencedError, type Offsets, type Transactor } from '../log.js';
import type { NewRecord } from '../record.js';
import { refuseTooLarge, requests } from './batching.js';
import { isFence, isLostTransaction, mayPass } from './errors.js';
import type { CommittedOffset, Inquiry } from './inquiry.js';
import { TransactionalProducer } from './transactional-producer.js';

/** A transaction that its owner leaves open holds up the readers of its topics until the broker aborts it. */
const TRANSACTION_TIMEOUT_MS = 30_000;
/** How long a commit is tried again; brokers restart in less. */
const PATIENCE_MS = 60_000;
const RETRY_MS = 50;

/** Key of the records that are written to be aborted; compacted topics need one. */
const ABORTED_KEY = '~aborted';

/** Where a transactor reads and writes. */
export interface TransactorScope {
  readonly group: string;
  readonly partition: number;
  /** Topics whose offsets it commits. */
  readonly inputs: readonly string[];
  /** Topics that it or an owner before it may have written to, in its partition. */
  readonly outputs: readonly string[];
}

/**
 * Writes as `<group>-<partition>`: by this transactional id the broker fences whoever wrote under it before. kafkajs cannot send the
 * group generation with the offsets, so this id is what keeps a zombie out.
 *
 * A broker that dies while it ends a transaction leaves open whether it did. Every commit therefore leaves a note of its own with
 * its offsets; a successor producer, whose start makes the broker finish or abort what was under way, finds by that note what happened.
 *
 * Kafka 4.3 may forget to end a transaction at all: a coordinator that starts while a partition has no leader, as after kill -9 of a
 * single broker, takes that partition for deleted and leaves the transaction's records and offsets there neither committed nor
 * aborted ("likely deleted already and hence can be skipped" in the broker's log). The next commit of the same producer would bring
 * such records to light, though their offsets have been lost and they are about to be written again. So each producer begins with a
 * transaction across all that it may write to, and aborts it: that ends whatever was left. That this abort has been written itself is
 * certain when the first commit is about to end and no connection was lost since; else the producer gives way to another.
 */
export class KafkaTransactor implements Transactor {
  readonly #driver: Driver;
  readonly #inquiry: Inquiry;
  readonly #scope: TransactorScope;
  /** Partitions of the outputs, as `<partition>/<topic>`. */
  readonly #written: Set<string>;
  readonly #id = randomUUID();
  #producer: Opened | undefined;
  /** What the group has committed, as far as is known. */
  #committed: Readonly<Record<string, CommittedOffset>> = {};
  /** What a commit that failed would have made of it. */
  #attempted: Readonly<Record<string, CommittedOffset>> | undefined;
  #commits = 0;
  #isFenced = false;

  private constructor(driver: Driver, inquiry: Inquiry, scope: TransactorScope) {
    this.#driver = driver;
    this.#inquiry = inquiry;
    this.#scope = scope;
    this.#written = new Set(scope.outputs.map((topic) => `${scope.partition}/${topic}`));
  }

  static async open(driver: Driver, inquiry: Inquiry, scope: TransactorScope): Promise<KafkaTransactor> {
    const transactor = new KafkaTransactor(driver, inquiry, scope);
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
    if (outputs.length === 0 && Object.keys(offsets).length === 0) return;
    refuseTooLarge(outputs);
    for (const { partition, topic } of outputs) this.#written.add(`${partition}/${topic}`);
    const note = `${this.#id}/${++this.#commits}`;
    const attempted = { ...this.#committed, ...Object.fromEntries(Object.entries(offsets).map(([topic, offset]) => [topic, { offset, note }])) };
    for (const deadline = performance.now() + PATIENCE_MS; ; ) {
      try {
        if (await this.#settle()) return;
        this.#producer ??= await this.#openProducer();
        this.#attempted = attempted;
        await this.#transact(this.#producer, outputs, offsets, note);
        this.#committed = attempted;
        this.#attempted = undefined;
        return;
      } catch (error) {
        await this.#closeProducer();
        if (isFence(error)) this.#isFenced = true;
        this.#refuseFenced(error);
        if (performance.now() > deadline || !canBeTriedAgain(error)) throw error;
        await pause(RETRY_MS);
      }
    }
  }

  async close(): Promise<void> {
    await this.#closeProducer();
  }

  get #name(): string {
    return `${this.#scope.group}-${this.#scope.partition}`;
  }

  #refuseFenced(cause?: unknown): void {
    if (this.#isFenced) throw new FencedError(`${this.#name} has a newer owner.`, { cause });
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
      this.#isFenced = true;
      throw new FencedError(`${this.#name} has a newer owner, which has committed meanwhile.`);
    }
    this.#committed = found;
    this.#attempted = undefined;
    return tookPlace;
  }

  async #openProducer(): Promise<Opened> {
    const start = { isProven: false, wasDisconnected: false };
    const kafka = this.#driver(() => (start.wasDisconnected = true));
    const producer = await TransactionalProducer.open(kafka, this.#name, this.#scope.group, TRANSACTION_TIMEOUT_MS);
    try {
      await this.#abortWhatIsLeft(producer);
    } catch (error) {
      await producer.close();
      throw error;
    }
    this.#producer = Object.assign(start, { producer });
    return this.#producer;
  }

  async #abortWhatIsLeft(producer: TransactionalProducer): Promise<void> {
    const topicMessages: TopicMessages[] = [];
    for (const each of this.#written) {
      const [partition, topic] = splitOnce(each);
      // A topic that does not exist holds nothing.
      if (!(await this.#inquiry.exists(topic))) continue;
      topicMessages.push({ topic, messages: [{ partition: Number(partition), key: ABORTED_KEY, value: Buffer.alloc(0) }] });
    }
    if (topicMessages.length === 0) return;
    await producer.send([topicMessages], []);
    await producer.end(false);
  }

  async #closeProducer(): Promise<void> {
    const opened = this.#producer;
    this.#producer = undefined;
    await opened?.producer.close();
  }

  async #transact(opened: Opened, outputs: readonly NewRecord[], offsets: Offsets, note: string): Promise<void> {
    const topics = Object.entries(offsets).map(([topic, offset]) => ({
      topic,
      partitions: [{ partition: this.#scope.partition, offset: `${offset}`, metadata: note }],
    }));
    await opened.producer.send(requests(outputs), topics.length > 0 ? topics : undefined);
    if (!opened.isProven && opened.wasDisconnected) throw new UnprovenStartError();
    await opened.producer.end(true);
    opened.isProven = true;
  }

  #readCommitted(): Promise<Record<string, CommittedOffset>> {
    return this.#inquiry.committed(this.#scope.group, this.#scope.partition, this.#scope.inputs);
  }
}

/** A producer and what is known of its start. */
interface Opened {
  readonly producer: TransactionalProducer;
  /** It has committed, so the abort that it began with is complete. */
  isProven: boolean;
  /** One of its connections has ended since it began. */
  wasDisconnected: boolean;
}

type Driver = (disconnected: () => void) => Kafka;

/** A connection was lost before the first commit: whether the broker has aborted what was left before is unknown. */
class UnprovenStartError extends Error {
  override readonly name = 'UnprovenStartError';
}

const canBeTriedAgain = (error: unknown): boolean => mayPass(error) || isLostTransaction(error) || error instanceof UnprovenStartError;

function splitOnce(partitionAndTopic: string): [string, string] {
  const at = partitionAndTopic.indexOf('/');
  return [partitionAndTopic.slice(0, at), partitionAndTopic.slice(at + 1)];
}

function isSame(one: Readonly<Record<string, CommittedOffset>>, other: Readonly<Record<string, CommittedOffset>>): boolean {
  const topics = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...topics].every((topic) => one[topic]?.offset === other[topic]?.offset && one[topic]?.note === other[topic]?.note);
}
