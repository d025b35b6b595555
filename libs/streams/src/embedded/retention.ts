import type { StatementSync } from 'node:sqlite';
import type { Database } from './database.js';
import type { Partition } from './partition.js';

/** Records dropped, and looked at, at a time, so that a clean-up never holds the event loop for long. */
const CHUNK = 250;
/** What a row takes beside its value, about. */
const ROW_BYTES = 150;

export interface RetainedTopic {
  readonly name: string;
  readonly retentionMs: number;
  readonly compacted: boolean;
  readonly partitions: readonly Partition[];
}

/**
 * Drops what is older than its topic keeps and, while the file is over its bound, the oldest of the partition that takes
 * the most room, so that bulky telemetry doesn't push out a year of alarms; compacts compacted topics. What a group that reads the topic has not committed yet is never dropped.
 */
export class Retention {
  readonly #database: Database;
  readonly #first: StatementSync;
  readonly #drop: StatementSync;
  readonly #compact: StatementSync;

  constructor(database: Database) {
    this.#database = database;
    this.#first = database.sql.prepare('SELECT id, length(value) AS bytes FROM records WHERE id >= ? AND id < ? ORDER BY id LIMIT 1');
    this.#drop = database.sql.prepare(
      'DELETE FROM records WHERE id IN (SELECT id FROM (SELECT id, appended_ms FROM records WHERE id >= ? AND id < ? ORDER BY id LIMIT ?) WHERE appended_ms <= ?)',
    );
    this.#compact = database.sql.prepare(
      'DELETE FROM records WHERE id >= ? AND id < ? AND id NOT IN (SELECT max(id) FROM records WHERE id >= ? AND id < ? GROUP BY key)',
    );
  }

  /**
   * One step, within a transaction.
   * @param consumed offset up to which all groups that read the partition have committed; Infinity where none reads it
   * @returns whether there is more to drop
   */
  step(topics: readonly RetainedTopic[], consumed: (partition: Partition) => number, maxBytes: number, nowMs: number): boolean {
    let more = false;
    let largest: { readonly partition: Partition; readonly end: number; readonly bytes: number } | undefined;
    for (const { retentionMs, compacted, partitions } of topics) {
      for (const partition of partitions) {
        const end = partition.base + Math.min(partition.pending, consumed(partition));
        if (compacted) {
          const all = partition.base + partition.pending;
          this.#compact.run(partition.base, all, partition.base, all);
          continue;
        }
        if (this.#dropUntil(partition, end, nowMs - retentionMs) === CHUNK) more = true;
        const first = this.#first.get(partition.base, end);
        if (first === undefined) continue;
        const bytes = (end - Number(first['id'])) * (Number(first['bytes']) + ROW_BYTES);
        if (bytes > (largest?.bytes ?? 0)) largest = { partition, end, bytes };
      }
    }
    if (largest === undefined || this.#database.usedBytes() <= maxBytes) return more;
    this.#dropUntil(largest.partition, largest.end, Infinity);
    return true;
  }

  #dropUntil(partition: Partition, end: number, appendedMs: number): number {
    return Number(this.#drop.run(partition.base, end, CHUNK, appendedMs).changes);
  }
}
