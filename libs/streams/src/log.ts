import type { LogRecord, NewRecord } from './record.js';

/** Records of one partition of one topic, in offset order. */
export interface LogBatch {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly LogRecord[];
  /** Offset to read next: beyond the last record, over gaps that compaction and transaction markers leave. */
  readonly nextOffset: number;
  /** Offset after the last record of the partition when this batch was fetched, for lag. */
  readonly highWatermark: number;
}

/** Next offset to read by topic, of one partition number. */
export type Offsets = Readonly<Record<string, number>>;

/** Batches that a handler has taken. */
export interface Delivery {
  /** Resolves when nothing of them is left to be written, and after those of earlier deliveries; it need not be waited for. */
  readonly committed: Promise<void>;
}

/** For handlers that are done with their batches when they resolve. */
export const COMMITTED: Delivery = { committed: Promise.resolve() };

/** What a group member does with the partitions it is given. Calls for one partition number never overlap. */
export interface GroupHandler {
  /**
   * Partition `partition` of every topic of the group is now this member's. Resolves to where to read from, by topic;
   * a topic left out is read from its committed offset, or from its beginning. An offset before the first record that is
   * still kept reads from that. Data flows only after it resolves.
   */
  assigned(partition: number): Promise<Offsets>;
  /**
   * Takes what there is to read, at most one batch a topic, so that one commit can serve all of it. Resolves when more can be taken;
   * until then nothing further of this partition number is delivered (back-pressure).
   * When it rejects, or `committed` of what it resolves to, the log gives the partition a fresh start: revoked, then, once the group says that it still is this member's,
   * assigned, then from the offsets that says.
   */
  batches(batches: readonly LogBatch[]): Promise<Delivery>;
  /**
   * The partition has been taken away (or is given back at close), or starts afresh. When this resolves, every `committed` has settled, and
   * nothing may be written for it any more.
   */
  revoked(partition: number): Promise<void>;
}

export interface Membership {
  /** Milliseconds since the epoch of the last poll that the log answered; liveness looks at its age. */
  lastPollMs(): number;
  /** Partition numbers held now. */
  assignment(): readonly number[];
  /**
   * Hands over what is held, and leaves the group: running batches end, and revoked is called, once other members are given its partitions;
   * those that stay hold them all when this resolves. Where nobody stays, or the log does not answer in time, it leaves all the same.
   */
  close(): Promise<void>;
}

/** Raised by a Transactor when a newer owner of the partition exists: stop working on it, until the group says anew who it belongs to. */
export class FencedError extends Error {
  override readonly name = 'FencedError';
}

/** Raised by a Transactor when the log has lost a commit that it had confirmed: what was derived since stands on nothing, start afresh. */
export class LostCommitError extends Error {
  override readonly name = 'LostCommitError';
}

/** Exactly-once writer of one (group, partition): outputs and consumed offsets in one transaction. */
export interface Transactor {
  /** Offsets that the group has committed for this partition number, by topic. Read after fencing, so final. */
  committed(): Promise<Offsets>;
  /**
   * Writes `outputs` and commits `offsets` atomically. Retries what can be retried. What was committed before can no longer be lost when it resolves.
   * @throws FencedError when another instance owns the partition now.
   * @throws LostCommitError when one before has been lost.
   * @throws Error when it failed, or may have failed, for another reason: committed() then settles whether it took place,
   * after which commit may be called again.
   */
  commit(outputs: readonly NewRecord[], offsets: Offsets): Promise<void>;
  /**
   * Resolves when all that was committed can no longer be lost: what a checkpoint has to wait for where no commit follows.
   * @throws FencedError, LostCommitError
   */
  complete(): Promise<void>;
  close(): Promise<void>;
}

export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  /** Brokers that hold each partition; without it, as many as the broker has for its default. */
  readonly replicationFactor?: number;
  readonly retentionMs: number;
  readonly compacted: boolean;
}

export interface TailOptions {
  readonly topics: readonly string[];
  /** Where to begin: what is there already, or only what comes. */
  readonly from: 'earliest' | 'latest';
  /** Called batch by batch, committed records only; the next batch of that partition waits until it resolves. */
  readonly batch: (batch: LogBatch) => Promise<void> | void;
}

/** A reader without a group, for views, tests and materialised topics. */
export interface Tail {
  /** Resolves when all that had been committed at the time of this call has been delivered. */
  caughtUp(): Promise<void>;
  close(): Promise<void>;
}

/** The log: Kafka, or a SQLite file in this process. All reads see committed records only. */
export interface EventLog {
  /** Creates what is missing; leaves what exists. */
  createTopics(topics: readonly TopicSpec[]): Promise<void>;
  /** Number of partitions of a topic. */
  partitions(topic: string): Promise<number>;
  /**
   * Appends in order; resolves when the log has all of them durably. Several calls may be outstanding: order is kept per partition.
   * Rejects when the log can't take them (disk full, broker away beyond retries): nothing was acknowledged then.
   */
  append(records: readonly NewRecord[]): Promise<void>;
  /** Joins a consumer group. All topics must have the same number of partitions; partition p of all goes to the same member. */
  join(group: string, topics: readonly string[], handler: GroupHandler): Promise<Membership>;
  /**
   * Becomes the one writer for (group, partition), fencing any earlier one. `topics` are those whose offsets it commits; `outputs`
   * those that it writes to in its partition, where a log needs to know in order to end what an earlier owner left open.
   */
  transactor(group: string, partition: number, topics: readonly string[], outputs?: readonly string[]): Promise<Transactor>;
  tail(options: TailOptions): Promise<Tail>;
  /** Offset of the first record that is still kept, or of the next where none is, by partition. */
  firstOffsets(topic: string): Promise<readonly number[]>;
  /** Next offset to be written, by partition. */
  endOffsets(topic: string): Promise<readonly number[]>;
  /** Sequence of the last record that a source has in a partition; undefined where it has none. Quick where that is near the end. */
  lastSequence(topic: string, partition: number, source: string): Promise<number | undefined>;
  /** Whether the log answers now. */
  healthy(): Promise<boolean>;
  close(): Promise<void>;
}
