import type { StatementSync } from 'node:sqlite';
import type { LogBatch } from '../log.js';
import type { LogRecord, NewRecord } from '../record.js';
import type { Database } from './database.js';
import type { Partition } from './partition.js';

/** A batch ends with the record that reaches either bound. */
const MAX_BATCH_RECORDS = 500;
const MAX_BATCH_BYTES = 1 << 20;

type Row = [id: number, key: string, value: Uint8Array, timeMs: number, schema: string, source: string, sequence: number, traceparent: string | null];

/** The records as rows. */
export class RecordTable {
  readonly #insert: StatementSync;
  readonly #select: StatementSync;
  readonly #advance: StatementSync;
  readonly #first: StatementSync;
  readonly #lastSequence: StatementSync;

  constructor(database: Database) {
    this.#insert = database.sql.prepare(
      'INSERT INTO records (id, key, value, time_ms, appended_ms, schema, source, sequence, traceparent) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    );
    this.#select = database.sql.prepare(
      'SELECT id, key, value, time_ms, schema, source, sequence, traceparent FROM records WHERE id >= ? AND id < ? ORDER BY id',
    );
    this.#select.setReturnArrays(true);
    this.#first = database.sql.prepare('SELECT min(id) AS id FROM records WHERE id >= ? AND id < ?');
    this.#lastSequence = database.sql.prepare('SELECT sequence FROM records WHERE id >= ? AND id < ? AND source = ? ORDER BY id DESC LIMIT 1');
    this.#advance = database.sql.prepare('UPDATE partitions SET next_offset = ? WHERE topic = ? AND number = ?');
  }

  /** Within a transaction. */
  insert(partition: Partition, record: NewRecord, appendedMs: number): void {
    const { schema, source, sequence, traceparent } = record.headers;
    this.#insert.run(partition.base + partition.pending, record.key, record.value, record.timeMs, appendedMs, schema, source, sequence, traceparent ?? null);
    partition.pending++;
  }

  /** Within a transaction: keeps the end of the partition, which retention must not forget. */
  advance(partition: Partition): void {
    this.#advance.run(partition.pending, partition.topic, partition.number);
  }

  /** Offset of the first record that is kept, or the next where none is. */
  first({ base, next }: Partition): number {
    const id = this.#first.get(base, base + next)?.['id'] ?? null;
    return id === null ? next : Number(id) - base;
  }

  /** Of the last record of a source, or undefined where it has none. */
  lastSequence({ base, next }: Partition, source: string): number | undefined {
    const sequence = this.#lastSequence.get(base, base + next, source)?.['sequence'];
    return sequence === undefined ? undefined : Number(sequence);
  }

  /** The next records from `offset` on, or undefined at the end. */
  read(partition: Partition, offset: number): LogBatch | undefined {
    if (offset >= partition.next) return undefined;
    const { topic, number, base, next } = partition;
    const records: LogRecord[] = [];
    let bytes = 0;
    let nextOffset = next;
    for (const row of this.#select.iterate(base + offset, base + next) as unknown as Iterable<Row>) {
      const [id, key, value, timeMs, schema, source, sequence, traceparent] = row;
      const headers = traceparent === null ? { schema, source, sequence } : { schema, source, sequence, traceparent };
      records.push({ topic, partition: number, key, value, timeMs, headers, offset: id - base });
      bytes += value.length;
      if (records.length >= MAX_BATCH_RECORDS || bytes >= MAX_BATCH_BYTES) {
        nextOffset = id - base + 1;
        break;
      }
    }
    return { topic, partition: number, records, nextOffset, highWatermark: next };
  }
}
