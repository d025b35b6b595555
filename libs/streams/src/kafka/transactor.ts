import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import { FencedError, LostCommitError, type Offsets, type Transactor } from '../log.js';
import type { LogRecord, NewRecord } from '../record.js';
import { taskName } from '../state.js';
import { refuseTooLarge, requests } from './batching.js';
import { isFence, isLostTransaction, mayPass } from './errors.js';
import type { CommittedOffset, Inquiry } from './inquiry.js';
import { decodeReceipt, encodeReceipt, examine, keyOf, lastSequences, type Finding, type LastSequences, type Receipt } from './receipt.js';
import { TransactionalProducer } from './transactional-producer.js';

/** A transaction that its owner leaves open holds up the readers of its topics until the broker aborts it. */
const TRANSACTION_TIMEOUT_MS = 30_000;
/** How long a commit is tried again; brokers restart in less. */
const PATIENCE_MS = 60_000;
const RETRY_MS = 50;

/** What is written to be aborted; compacted topics need a key. */
const ABORTED = { key: '~aborted', value: new Uint8Array(0), timeMs: 0, headers: { schema: '', source: '', sequence: 0 } } as const;

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
 * Writes as `<group>-<partition>`: by this transactional id the broker fences whoever wrote under it before. The offsets go without the
 * group generation, which older requests have no place for, so this id is what keeps a zombie out.
 *
 * A broker that dies while it ends a transaction leaves open whether it did. Every commit therefore leaves a receipt with its offsets;
 * a successor producer, whose start makes the broker finish or abort what was under way, finds by it what happened.
 *
 * Kafka 4.3 may end a transaction in part. A coordinator that starts while a partition has no leader, as after kill -9 of a single
 * broker, takes that partition for deleted and ends the transaction without it ("likely deleted already and hence can be skipped" in
 * the broker's log): what the transaction wrote to those partitions, or its offsets, stay neither committed nor aborted, while in
 * partitions that the broker had come to before it died they are committed. So
 * - each producer begins with a transaction across all that it may write to, and aborts it, which ends whatever was left;
 * - then it looks at what the outputs hold of the last commit. Records whose offsets were lost are not written again: by their
 *   sequences, which a task gives them again when it repeats its work, they are known. Where records were lost, the offsets before
 *   theirs are said to be the committed ones, and the work is repeated;
 * - after a connection was lost, no commit ends before another producer has looked.
 */
export class KafkaTransactor implements Transactor {
  readonly #driver: Driver;
  readonly #inquiry: Inquiry;
  readonly #scope: TransactorScope;
  readonly #task: string;
  /** Topics of the outputs. */
  readonly #outputs: Set<string>;
  readonly #id = randomUUID();
  #producer: Opened | undefined;
  /** What the group has committed, as far as is known. */
  #known: Committed = {};
  /** What it had committed before the last commit that succeeded. */
  #before: Committed | undefined;
  /** The offsets up to which all outputs have been written, wherever those are lost that the group has committed. */
  #standing: Offsets = {};
  /** What a commit that failed would have made of what the group has committed, and its offsets. */
  #attempted: { readonly known: Committed; readonly standing: Offsets } | undefined;
  /** Last sequences that the outputs hold beyond the standing offsets: what is to be written up to there is there already. */
  #ahead = new Map<string, number>();
  /** Where in the outputs the next successor has to look; none before the first receipt. */
  #from: Offsets | undefined;
  #commits = 0;
  #isProven = true;
  #isFenced = false;

  private constructor(driver: Driver, inquiry: Inquiry, scope: TransactorScope) {
    this.#driver = driver;
    this.#inquiry = inquiry;
    this.#scope = scope;
    this.#task = taskName(scope.group, scope.partition);
    this.#outputs = new Set(scope.outputs);
  }

  static async open(driver: Driver, inquiry: Inquiry, scope: TransactorScope): Promise<KafkaTransactor> {
    const transactor = new KafkaTransactor(driver, inquiry, scope);
    await transactor.#withProducer(async () => {
      const { known, receipt, finding } = await transactor.#review();
      transactor.#known = known;
      transactor.#standing = finding.isWhole ? offsetsOf(known) : receipt!.before;
      transactor.#goOn(receipt, finding);
    });
    return transactor;
  }

  async committed(): Promise<Offsets> {
    this.#refuseFenced();
    await this.#settle();
    return this.#standing;
  }

  async commit(outputs: readonly NewRecord[], offsets: Offsets): Promise<void> {
    this.#refuseFenced();
    if (this.#attempted) throw new Error(`The last commit of ${this.#name} failed or may have failed: committed() has to settle it before the next.`);
    if (outputs.length === 0 && Object.keys(offsets).length === 0) return;
    refuseTooLarge(outputs);
    for (const { topic } of outputs) this.#outputs.add(topic);
    const topics = Object.keys(offsets);
    await this.#insist(async () => {
      await this.#settle();
      // Without a receipt before it, nobody could tell what has become of the first commit.
      if (this.#from === undefined && topics.length > 0) await this.#transact([], Object.fromEntries(topics.map((topic) => [topic, this.#standing[topic] ?? 0])));
    });
    await this.#insist(async () => {
      if (!(await this.#settle())) await this.#transact(outputs, offsets);
    });
  }

  async complete(): Promise<void> {
    this.#refuseFenced();
    await this.#insist(async () => {
      await this.#settle();
      if (this.#isProven) return;
      await this.#producer!.producer.ended();
      this.#refuseDisconnected();
      this.#isProven = true;
    });
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

  #refuseDisconnected(): void {
    if (this.#producer!.wasDisconnected) throw new DisconnectedError();
  }

  /** Tries with another producer after what passes. */
  async #insist(attempt: () => Promise<void>): Promise<void> {
    for (const deadline = performance.now() + PATIENCE_MS; ; ) {
      try {
        await attempt();
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

  /**
   * Sees to it that there is a producer, and finds out what has become of the last commit where that is unknown; resolves to whether
   * a commit that failed took place.
   * @throws FencedError when a newer owner has been at work
   * @throws LostCommitError when a commit that had succeeded has been lost
   */
  async #settle(): Promise<boolean> {
    if (this.#producer) return false;
    return this.#withProducer(async () => {
      // Its start has fenced and ended what went before, so that what is found is final.
      const { known, receipt, finding } = await this.#review();
      const attempted = this.#attempted;
      const isAttempted = attempted !== undefined && isSame(known, attempted.known);
      if (!isAttempted && !isSame(known, this.#known)) {
        if (this.#before !== undefined && isSame(known, this.#before)) throw new LostCommitError(`Kafka has lost a commit of ${this.#name}.`);
        this.#isFenced = true;
        throw new FencedError(`${this.#name} has a newer owner, which has committed meanwhile.`);
      }
      if (!isAttempted && !finding.isWhole && !this.#isProven) throw new LostCommitError(`Kafka has lost records of a commit of ${this.#name}.`);
      const tookPlace = isAttempted && finding.isWhole;
      this.#known = known;
      if (tookPlace) this.#standing = attempted.standing;
      this.#attempted = undefined;
      this.#goOn(receipt, finding);
      return tookPlace;
    });
  }

  /** What the group has committed and the outputs hold. */
  async #review(): Promise<{ readonly known: Committed; readonly receipt: Receipt | undefined; readonly finding: Finding }> {
    const { group, partition, inputs } = this.#scope;
    const known = await this.#inquiry.committed(group, partition, inputs);
    const receipt = Object.values(known).map(({ note }) => decodeReceipt(note)).find((each) => each !== undefined);
    const finding = receipt === undefined ? { isWhole: true, ahead: new Map<string, number>() } : examine(receipt, await this.#seen(receipt.from));
    this.#refuseDisconnected();
    return { known, receipt, finding };
  }

  /** What the outputs hold of the task from there on, up to where the producer began: nothing before that is open any more. */
  async #seen(from: Offsets): Promise<LastSequences> {
    const seen = new Map<string, number>();
    const take = (records: readonly LogRecord[]): void => lastSequences(records, this.#task).forEach((last, key) => seen.set(key, last));
    const { ends } = this.#producer!.producer;
    await Promise.all(Object.entries(ends).map(([topic, end]) => this.#inquiry.read(topic, this.#scope.partition, from[topic] ?? 0, end, take)));
    return seen;
  }

  #goOn(receipt: Receipt | undefined, { ahead }: Finding): void {
    this.#ahead = new Map(ahead);
    this.#isProven = true;
    if (receipt === undefined) this.#from = undefined;
    else this.#lookFrom(receipt.from);
  }

  /** As long as something has been written ahead, a successor has to find it again. */
  #lookFrom(from: Offsets): void {
    this.#from = { ...this.#producer!.producer.ends, ...(this.#ahead.size > 0 && from) };
  }

  /** Opens a producer and does with it what comes first; it stays open where that succeeds. */
  async #withProducer<T>(first: () => Promise<T>): Promise<T> {
    this.#producer = await this.#openProducer();
    try {
      return await first();
    } catch (error) {
      await this.#closeProducer();
      throw error;
    }
  }

  async #openProducer(): Promise<Opened> {
    const connection = { wasDisconnected: false };
    const kafka = this.#driver(() => (connection.wasDisconnected = true));
    const producer = await TransactionalProducer.open(kafka, this.#name, this.#scope.group, TRANSACTION_TIMEOUT_MS);
    try {
      await this.#abortWhatIsLeft(producer);
    } catch (error) {
      await producer.close();
      throw error;
    }
    return Object.assign(connection, { producer });
  }

  async #abortWhatIsLeft(producer: TransactionalProducer): Promise<void> {
    const aborted: NewRecord[] = [];
    for (const topic of this.#outputs) {
      // A topic that does not exist holds nothing.
      if (await this.#inquiry.exists(topic)) aborted.push({ ...ABORTED, topic, partition: this.#scope.partition });
    }
    await producer.send(requests(aborted), []);
    await producer.end(false);
    // Before that, offsets are asked for in vain: a group coordinator that has just been loaded answers as of when it last knew what was
    // on all replicas, which after kill -9 may be from before the first commit.
    await producer.ended();
  }

  async #closeProducer(): Promise<void> {
    const opened = this.#producer;
    this.#producer = undefined;
    await opened?.producer.close();
  }

  async #transact(outputs: readonly NewRecord[], offsets: Offsets): Promise<void> {
    const opened = this.#producer!;
    const { known, standing } = (this.#attempted = this.#attempt(outputs, offsets));
    const topics = Object.entries(known).map(([topic, { offset, note }]) => ({
      topic,
      partitions: [{ partition: this.#scope.partition, offset: `${offset}`, metadata: note }],
    }));
    await opened.producer.send(requests(outputs.filter((record) => !this.#isThere(record))), topics.length > 0 ? topics : undefined);
    // What was committed over a connection that is gone may have been lost, and would come to light with this commit.
    this.#refuseDisconnected();
    await opened.producer.end(true);
    this.#attempted = undefined;
    this.#before = this.#known;
    this.#known = known;
    this.#standing = standing;
    this.#isProven = false;
    if (this.#ahead.size > 0) this.#pass(outputs);
    this.#lookFrom(this.#from ?? {});
  }

  /** Forgets what was ahead where the outputs have got beyond it. */
  #pass(outputs: readonly NewRecord[]): void {
    for (const [key, sequence] of lastSequences(outputs, this.#task)) if (sequence > (this.#ahead.get(key) ?? Infinity)) this.#ahead.delete(key);
  }

  #attempt(outputs: readonly NewRecord[], offsets: Offsets): { readonly known: Committed; readonly standing: Offsets } {
    const standing = { ...this.#standing, ...offsets };
    const number = ++this.#commits;
    const receipt = encodeReceipt({ by: this.#id, number, before: this.#standing, from: this.#from ?? this.#producer!.producer.ends, wrote: lastSequences(outputs, this.#task) });
    const known = Object.fromEntries(Object.entries(standing).map(([topic, offset], i) => [topic, { offset, note: i === 0 ? receipt : `${this.#id}/${number}` }]));
    return { known, standing };
  }

  /** Whether the output has a record already, from a commit whose offsets were lost. */
  #isThere(record: NewRecord): boolean {
    if (this.#ahead.size === 0) return false;
    const key = keyOf(record, this.#task);
    return key !== undefined && record.headers.sequence <= (this.#ahead.get(key) ?? -1);
  }
}

type Committed = Readonly<Record<string, CommittedOffset>>;

/** A producer, and whether one of its connections has ended since it began. */
interface Opened {
  readonly producer: TransactionalProducer;
  wasDisconnected: boolean;
}

type Driver = (disconnected: () => void) => Kafka;

/** A connection was lost: what has become of the last commit is unknown. */
class DisconnectedError extends Error {
  override readonly name = 'DisconnectedError';
}

const canBeTriedAgain = (error: unknown): boolean => mayPass(error) || isLostTransaction(error) || error instanceof DisconnectedError;

const offsetsOf = (committed: Committed): Offsets => Object.fromEntries(Object.entries(committed).map(([topic, { offset }]) => [topic, offset]));

function isSame(one: Committed, other: Committed): boolean {
  const topics = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...topics].every((topic) => one[topic]?.offset === other[topic]?.offset && one[topic]?.note === other[topic]?.note);
}
