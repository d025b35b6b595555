import type { Batch, KafkaMessage } from 'kafkajs';
import { FencedError, type GroupHandler, type LogBatch, type Offsets } from '../log.js';
import type { RuntimeLogger } from '../runtime.js';
import { RecordReader } from './record-reader.js';

/** What a lane asks of the consumer that feeds it. */
export interface LaneFeed {
  /** Where to read from, given what the handler said: committed or first offsets for what it left out, and none that is no longer kept. */
  startOffsets(partition: number, topics: readonly string[], said: Offsets): Promise<Offsets>;
  seek(topic: string, partition: number, offset: number): void;
  pause(topic: string, partition: number): void;
  resume(topic: string, partition: number): void;
  /** Resolves when the group has confirmed this member anew. */
  confirmed(): Promise<void>;
  /** The lane has delivered something. */
  progressed(): void;
  readonly logger: RuntimeLogger;
}

/** kafkajs leaves out of its types from which offset on the batch was asked for. */
export type FetchedBatch = Batch & { readonly fetchedOffset: string };

/** Messages that have been fetched and wait for the handler; none where the log had only markers or aborted records. */
interface Fetched {
  readonly topic: string;
  readonly messages: readonly KafkaMessage[];
  readonly bytes: number;
  readonly nextOffset: number;
  readonly highWatermark: number;
}

/** Above this, fetching pauses until half of it is left: enough to keep the handler busy for the time of a fetch. */
const MAX_WAITING_BYTES = 8_388_608;
/** What waits is delivered together up to this size: a commit then serves more records. */
const MAX_BATCH_BYTES = 1_048_576;
const MAX_BACKOFF_MS = 5_000;

/**
 * One partition number of all topics of a member, from being assigned to being revoked: calls the handler, one call at a time, while
 * fetching goes on beside it. What has been fetched is bounded; positions are the lane's own, not the committed ones.
 */
export class PartitionLane {
  readonly partition: number;
  readonly topics: readonly string[];
  /** Resolves when the handler's last call, revoked(), has returned. */
  readonly ended: Promise<void>;
  readonly #handler: GroupHandler;
  readonly #feed: LaneFeed;
  readonly #readers: ReadonlyMap<string, RecordReader>;
  readonly #lost = Promise.withResolvers<void>();
  readonly #position = new Map<string, number>();
  readonly #delivered = new Map<string, number>();
  /** First offset of a fetch without records that did not follow on the position; see skip(). */
  readonly #doubted = new Map<string, number>();
  #waiting: Fetched[] = [];
  #waitingBytes = 0;
  #wake: (() => void) | undefined;
  /** A commit that failed behind the handler's back. */
  #failure: { readonly error: unknown } | undefined;
  #isLost = false;
  #isFlowing = false;
  #isPaused = false;

  /** @param after when to begin: when an earlier lane of the same partition has ended. */
  constructor(partition: number, topics: readonly string[], handler: GroupHandler, feed: LaneFeed, after: Promise<void> | undefined) {
    this.partition = partition;
    this.topics = topics;
    this.#handler = handler;
    this.#feed = feed;
    this.#readers = new Map(topics.map((topic) => [topic, new RecordReader(topic, partition)]));
    this.ended = this.#live(after);
  }

  /** Offset up to which a topic has been delivered, or undefined before the start. */
  delivered(topic: string): number | undefined {
    return this.#delivered.get(topic);
  }

  /** The partition has been taken away: ends after the handler's present call. */
  lose(): void {
    this.#isLost = true;
    this.#isFlowing = false;
    this.#lost.resolve();
    this.#wake?.();
  }

  /** Tells a consumer that has joined (again) where this lane stands: kafkajs begins at the committed offsets after each rebalance. */
  align(): void {
    for (const topic of this.topics) {
      const position = this.#position.get(topic);
      if (this.#isFlowing && position !== undefined) this.#feed.seek(topic, this.partition, position);
      if (!this.#isFlowing || this.#isPaused) this.#feed.pause(topic, this.partition);
      else this.#feed.resume(topic, this.partition);
    }
  }

  /** Takes a fetched batch with records. */
  accept(batch: FetchedBatch): void {
    const { topic } = batch;
    const position = this.#position.get(topic);
    if (!this.#isFlowing || position === undefined) return;
    if (Number(batch.fetchedOffset) !== position) {
      // Asked for before the lane moved: read again from where it stands.
      this.#feed.seek(topic, this.partition, position);
      return;
    }
    const bytes = batch.messages.reduce((sum, message) => sum + (message.value?.length ?? 0), 0);
    this.#push({ topic, messages: batch.messages, bytes, nextOffset: Number(batch.lastOffset()) + 1, highWatermark: Number(batch.highWatermark) });
  }

  /**
   * Passes over offsets that held markers or aborted records only. kafkajs tells of them without saying whether they were fetched before
   * the last seek. What follows on the position is believed; after a gap, which compaction leaves, it is fetched once more and believed
   * when it comes again.
   */
  skip(topic: string, firstOffset: number, nextOffset: number, highWatermark: number): void {
    const position = this.#position.get(topic);
    if (!this.#isFlowing || position === undefined) return;
    if (firstOffset === position || this.#doubted.get(topic) === firstOffset) {
      this.#push({ topic, messages: [], bytes: 0, nextOffset, highWatermark });
    } else {
      this.#feed.seek(topic, this.partition, position);
      this.#doubted.set(topic, firstOffset);
    }
  }

  #push(fetched: Fetched): void {
    this.#position.set(fetched.topic, fetched.nextOffset);
    this.#doubted.delete(fetched.topic);
    this.#waiting.push(fetched);
    this.#waitingBytes += fetched.bytes;
    if (!this.#isPaused && this.#waitingBytes > MAX_WAITING_BYTES) {
      this.#isPaused = true;
      for (const topic of this.topics) this.#feed.pause(topic, this.partition);
    }
    this.#wake?.();
  }

  async #live(after: Promise<void> | undefined): Promise<void> {
    await after;
    for (let failures = 0; !this.#isLost; ) {
      let lastCommit = Promise.resolve();
      this.#failure = undefined;
      try {
        const said = await this.#handler.assigned(this.partition);
        if (!this.#isLost) this.#flow(await this.#feed.startOffsets(this.partition, this.topics, said));
        for (let batches = await this.#next(); batches; batches = await this.#next()) {
          const full = batches.filter(({ records }) => records.length > 0);
          if (full.length > 0) lastCommit = (await this.#handler.batches(full)).committed;
          lastCommit.then(
            () => {
              failures = 0;
              for (const { topic, nextOffset } of batches) this.#delivered.set(topic, nextOffset);
              this.#feed.progressed();
            },
            (error: unknown) => {
              this.#failure = { error };
              this.#wake?.();
            },
          );
        }
      } catch (error) {
        // One that was fenced by a member that the partition had been taken from, late, is its owner all the same.
        if (!(error instanceof FencedError)) this.#feed.logger.warn({ partition: this.partition, err: error }, 'Partition is given a fresh start, since its handler failed');
        failures++;
      }
      this.#stem();
      await this.#revoke();
      if (!this.#isLost) await this.#pauseAfter(failures);
    }
  }

  /** Begins to read. */
  #flow(start: Offsets): void {
    if (this.#isLost) return;
    this.#position.clear();
    for (const topic of this.topics) {
      const offset = start[topic]!;
      this.#position.set(topic, offset);
      this.#delivered.set(topic, offset);
    }
    this.#isFlowing = true;
    this.align();
    this.#feed.progressed();
  }

  /** Stops reading and forgets what waits. */
  #stem(): void {
    this.#isFlowing = false;
    this.#isPaused = false;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#doubted.clear();
    if (!this.#isLost) this.align();
  }

  async #revoke(): Promise<void> {
    try {
      await this.#handler.revoked(this.partition);
    } catch (error) {
      this.#feed.logger.error({ partition: this.partition, err: error }, 'Giving a partition back failed');
    }
  }

  /**
   * Waits before a fresh start, longer each time, and until the group says that this member still belongs to it: one that does not
   * would only disturb the partition's new owner.
   */
  async #pauseAfter(failures: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const delay = new Promise<void>((resolve) => (timer = setTimeout(resolve, Math.min(50 * 2 ** failures, MAX_BACKOFF_MS))));
    await Promise.race([Promise.all([delay, this.#feed.confirmed()]), this.#lost.promise]);
    clearTimeout(timer);
  }

  /** The next batches, one a topic, made of what waits; undefined when the lane is lost. */
  async #next(): Promise<readonly LogBatch[] | undefined> {
    while (!this.#isLost && !this.#failure && this.#waiting.length === 0) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
    if (this.#failure) throw this.#failure.error;
    if (this.#isLost) return undefined;
    const taken = new Map<string, Fetched[]>();
    let bytes = 0;
    for (let first = this.#waiting[0]; first && (taken.size === 0 || bytes + first.bytes <= MAX_BATCH_BYTES); first = this.#waiting[0]) {
      this.#waiting.shift();
      bytes += first.bytes;
      const same = taken.get(first.topic);
      if (same === undefined) taken.set(first.topic, [first]);
      else same.push(first);
    }
    this.#waitingBytes -= bytes;
    if (this.#isPaused && this.#waitingBytes < MAX_WAITING_BYTES / 2) {
      this.#isPaused = false;
      for (const each of this.topics) this.#feed.resume(each, this.partition);
    }
    return [...taken].map(([topic, fetched]) => this.#batch(topic, fetched));
  }

  #batch(topic: string, fetched: readonly Fetched[]): LogBatch {
    const reader = this.#readers.get(topic)!;
    const records = fetched.flatMap(({ messages }) => messages.map((message) => reader.read(message)));
    const { nextOffset, highWatermark } = fetched.at(-1)!;
    return { topic, partition: this.partition, records, nextOffset, highWatermark };
  }
}
