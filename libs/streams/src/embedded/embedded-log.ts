import type { StatementSync } from 'node:sqlite';
import { FencedError, type EventLog, type GroupHandler, type Membership, type Offsets, type Tail, type TailOptions, type TopicSpec, type Transactor } from '../log.js';
import type { NewRecord } from '../record.js';
import { Database } from './database.js';
import { Group } from './group.js';
import { Partition } from './partition.js';
import { Reader } from './reader.js';
import { RecordTable } from './record-table.js';
import { Retention, type RetainedTopic } from './retention.js';
import { EmbeddedTail } from './tail.js';

export interface EmbeddedLogOptions {
  /**
   * Bytes that the file may use; default 256 MiB. Beyond it the oldest records that all groups have read are dropped;
   * where that is not enough, append() refuses until the groups have caught up.
   */
  readonly maxBytes?: number;
}

const DEFAULT_MAX_BYTES = 256 * 1024 * 1024;
/** Retention drops down to this share of the bound: what is written while it works must not look as if nothing could be dropped. */
const LOW_WATER = 0.9;
/** Retention looks for something to drop when so much has been written, or so long after it last did. */
const RETENTION_BYTES = 4 * 1024 * 1024;
const RETENTION_MS = 60_000;

/**
 * Opens, or creates, an event log in one SQLite file for this process alone.
 *
 * @param path of the file, in a folder that exists; `:memory:` for one that ends with the process
 * @throws LogFileError when the file is in use, of another format or out of reach
 */
export const openEmbeddedLog = (path: string, options: EmbeddedLogOptions = {}): EmbeddedLog =>
  new EmbeddedLog(new Database(path), options.maxBytes ?? DEFAULT_MAX_BYTES);

/** The event log of one process: everything happens in it, so a write wakes its readers at once. */
export class EmbeddedLog implements EventLog {
  readonly database: Database;
  readonly #maxBytes: number;
  readonly #table: RecordTable;
  readonly #retention: Retention;
  readonly #upsertOffset: StatementSync;
  readonly #topics = new Map<string, RetainedTopic>();
  /** Groups by the topics that they read. */
  readonly #readersByTopic = new Map<string, Set<string>>();
  readonly #groups = new Map<string, Group>();
  readonly #memberships = new Set<Membership>();
  readonly #tails = new Set<Tail>();
  /** Committed offsets, by `group topic partition`. */
  readonly #offsets = new Map<string, number>();
  /** The latest transactor of `group partition`. The file is this process's alone, so no other can exist. */
  readonly #owners = new Map<string, Transactor>();
  /** Partitions written to in the transaction under way. */
  readonly #touched = new Set<Partition>();
  /** Changes of `#offsets` in the transaction under way. */
  readonly #pendingOffsets = new Map<string, number>();
  #writtenBytes = 0;
  #retainedAtMs = Date.now();
  #retaining = false;
  #full = false;

  /** For openEmbeddedLog. */
  constructor(database: Database, maxBytes: number) {
    this.database = database;
    this.#maxBytes = maxBytes;
    this.#table = new RecordTable(database);
    this.#retention = new Retention(database);
    this.#upsertOffset = database.sql.prepare(
      'INSERT INTO group_offsets VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET next_offset = excluded.next_offset',
    );
    database.join({ committed: () => this.#committed(), rolledBack: () => this.#rolledBack() });
    for (const { name } of database.sql.prepare('SELECT name FROM topics').all()) this.#load(String(name));
    for (const row of database.sql.prepare('SELECT group_name, topic, partition, next_offset FROM group_offsets').all()) {
      const [group, topic] = [String(row['group_name']), String(row['topic'])];
      this.#offsets.set(offsetKey(group, topic, Number(row['partition'])), Number(row['next_offset']));
      this.#readers(topic).add(group);
    }
  }

  async createTopics(topics: readonly TopicSpec[]): Promise<void> {
    const missing = topics.filter(({ name }) => !this.#topics.has(name));
    const insertTopic = this.database.sql.prepare('INSERT OR IGNORE INTO topics VALUES (?, ?, ?, ?)');
    const insertPartition = this.database.sql.prepare('INSERT OR IGNORE INTO partitions (topic, number, next_offset) VALUES (?, ?, 0)');
    await this.database.write(() => {
      for (const { name, partitions, retentionMs, compacted } of missing) {
        if (insertTopic.run(name, partitions, retentionMs, compacted ? 1 : 0).changes === 0) continue;
        for (let number = 0; number < partitions; number++) insertPartition.run(name, number);
      }
    });
    for (const { name } of missing) this.#load(name);
  }

  async partitions(topic: string): Promise<number> {
    return Promise.resolve(this.#topic(topic).partitions.length);
  }

  async append(records: readonly NewRecord[]): Promise<void> {
    if (records.length === 0) return;
    await this.database.write(() => {
      if (this.#full) throw new Error(this.#fullSentence());
      this.#insert(records);
    });
  }

  async join(name: string, topics: readonly string[], handler: GroupHandler): Promise<Membership> {
    let group = this.#groups.get(name);
    if (group === undefined || group.topics.join() !== topics.join()) {
      group = this.#createGroup(name, topics);
      this.#groups.set(name, group);
    }
    const membership = group.join(handler);
    this.#memberships.add(membership);
    return Promise.resolve({
      ...membership,
      close: async () => {
        await membership.close();
        this.#memberships.delete(membership);
      },
    });
  }

  async transactor(group: string, partition: number, topics: readonly string[]): Promise<Transactor> {
    const of = topics.map((topic) => this.#partition(topic, partition));
    const owner = `${group} ${partition}`;
    const check = (): void => {
      if (this.#owners.get(owner) !== transactor) throw new FencedError(`${group}/${partition} has a newer owner`);
    };
    const transactor: Transactor = {
      committed: () => this.database.write(() => {
        check();
        return this.#committedOffsets(group, of);
      }),
      commit: (outputs, offsets) => this.database.write(() => {
        check();
        this.#insert(outputs);
        this.#commitOffsets(group, partition, offsets);
      }),
      complete: () => Promise.resolve(),
      close: () => {
        if (this.#owners.get(owner) === transactor) this.#owners.delete(owner);
        return Promise.resolve();
      },
    };
    this.#owners.set(owner, transactor);
    return Promise.resolve(transactor);
  }

  async tail(options: TailOptions): Promise<Tail> {
    const partitions = options.topics.flatMap((topic) => this.#topic(topic).partitions);
    const tail = new EmbeddedTail(this.#table, partitions, options);
    this.#tails.add(tail);
    return Promise.resolve({
      caughtUp: () => tail.caughtUp(),
      close: async () => {
        await tail.close();
        this.#tails.delete(tail);
      },
    });
  }

  async firstOffsets(topic: string): Promise<readonly number[]> {
    return Promise.resolve(this.#topic(topic).partitions.map((partition) => this.#table.first(partition)));
  }

  async endOffsets(topic: string): Promise<readonly number[]> {
    return Promise.resolve(this.#topic(topic).partitions.map((partition) => partition.next));
  }

  async lastSequence(topic: string, partition: number, source: string): Promise<number | undefined> {
    return Promise.resolve(this.#table.lastSequence(this.#partition(topic, partition), source));
  }

  healthy(): Promise<boolean> {
    return Promise.resolve(this.database.isOpen && !this.#full);
  }

  /** Ends all reading, writes what is pending and lets go of the file. */
  async close(): Promise<void> {
    await Promise.all([...this.#memberships, ...this.#tails].map((each) => each.close()));
    this.database.close();
  }

  #load(name: string): void {
    if (this.#topics.has(name)) return;
    const row = this.database.sql.prepare('SELECT retention_ms, compacted FROM topics WHERE name = ?').get(name);
    const partitions = this.database.sql.prepare('SELECT id, number, next_offset FROM partitions WHERE topic = ? ORDER BY number').all(name);
    this.#topics.set(name, {
      name,
      retentionMs: Number(row?.['retention_ms']),
      compacted: row?.['compacted'] === 1,
      partitions: partitions.map((each) => new Partition(name, Number(each['number']), Number(each['id']), Number(each['next_offset']))),
    });
  }

  #readers(topic: string): Set<string> {
    let readers = this.#readersByTopic.get(topic);
    if (readers === undefined) this.#readersByTopic.set(topic, (readers = new Set()));
    return readers;
  }

  #topic(name: string): RetainedTopic {
    const topic = this.#topics.get(name);
    if (topic === undefined) throw new Error(`topic ${name} does not exist: create it first`);
    return topic;
  }

  #partition(topic: string, number: number): Partition {
    const { partitions } = this.#topic(topic);
    const partition = partitions[number];
    if (partition === undefined) throw new Error(`topic ${topic} has partitions 0 to ${partitions.length - 1}, not ${number}`);
    return partition;
  }

  #createGroup(name: string, topics: readonly string[]): Group {
    const counts = new Set(topics.map((topic) => this.#topic(topic).partitions.length));
    const [count] = counts;
    if (count === undefined || counts.size > 1) {
      throw new Error(`group ${name} can't read ${topics.join(', ')} together: they must have one number of partitions, not ${[...counts].join(' and ')}`);
    }
    for (const topic of topics) this.#readers(topic).add(name);
    return new Group(topics, count, (number, from) => {
      const partitions = topics.map((topic) => this.#partition(topic, number));
      const committed = this.#committedOffsets(name, partitions);
      return new Reader(this.#table, partitions, topics.map((topic) => from[topic] ?? committed[topic] ?? 0));
    });
  }

  #committedOffsets(group: string, partitions: readonly Partition[]): Offsets {
    const offsets: Record<string, number> = {};
    for (const { topic, number } of partitions) {
      const key = offsetKey(group, topic, number);
      const offset = this.#pendingOffsets.get(key) ?? this.#offsets.get(key);
      if (offset !== undefined) offsets[topic] = offset;
    }
    return offsets;
  }

  /** Within a transaction. Finds all partitions before the first write, so that a wrong record concerns its caller only. */
  #insert(records: readonly NewRecord[]): void {
    const partitions = records.map((record) => this.#partition(record.topic, record.partition));
    const nowMs = Date.now();
    for (const [i, record] of records.entries()) {
      const partition = partitions[i] as Partition;
      this.#touched.add(partition);
      this.#table.insert(partition, record, nowMs);
      this.#writtenBytes += record.value.length + record.key.length;
    }
    for (const partition of new Set(partitions)) this.#table.advance(partition);
  }

  /** Within a transaction. */
  #commitOffsets(group: string, partition: number, offsets: Offsets): void {
    for (const [topic, offset] of Object.entries(offsets)) {
      this.#upsertOffset.run(group, topic, partition, offset);
      this.#pendingOffsets.set(offsetKey(group, topic, partition), offset);
      this.#readers(topic).add(group);
    }
  }

  #committed(): void {
    for (const [key, offset] of this.#pendingOffsets) this.#offsets.set(key, offset);
    this.#pendingOffsets.clear();
    const touched = [...this.#touched];
    this.#touched.clear();
    for (const partition of touched) partition.committed();
    if (this.#full || this.#writtenBytes >= RETENTION_BYTES || Date.now() - this.#retainedAtMs >= RETENTION_MS) void this.#retain();
  }

  #rolledBack(): void {
    this.#pendingOffsets.clear();
    for (const partition of this.#touched) partition.rolledBack();
    this.#touched.clear();
  }

  async #retain(): Promise<void> {
    if (this.#retaining) return;
    this.#retaining = true;
    try {
      const topics = [...this.#topics.values()];
      const step = (): boolean => this.#retention.step(topics, (partition) => this.#consumed(partition), LOW_WATER * this.#maxBytes, Date.now());
      while (this.database.isOpen && (await this.database.write(step)));
      this.#full = this.database.isOpen && this.database.usedBytes() > this.#maxBytes;
      this.#writtenBytes = 0;
      this.#retainedAtMs = Date.now();
    } catch {
      // No room even to delete, or closed: the writer beside it has been told; the next write tries again.
    } finally {
      this.#retaining = false;
    }
  }

  /** Offset up to which every group that reads the partition has committed. */
  #consumed({ topic, number }: Partition): number {
    let consumed = Infinity;
    for (const group of this.#readers(topic)) consumed = Math.min(consumed, this.#offsets.get(offsetKey(group, topic, number)) ?? 0);
    return consumed;
  }

  #fullSentence(): string {
    const behind = [...this.#readersByTopic].filter(([topic]) => this.#topic(topic).partitions.some((each) => this.#consumed(each) < each.next));
    const groups = [...new Set(behind.flatMap(([, readers]) => [...readers]))].join(', ');
    return `the event log ${this.database.path} has reached its bound of ${this.#maxBytes} bytes with records that ${groups || 'no group'} still has to read: nothing was written; it goes on when they have caught up, or raise maxBytes`;
  }
}

const offsetKey = (group: string, topic: string, partition: number): string => `${group} ${topic} ${partition}`;
