import { setTimeout as pause } from 'node:timers/promises';
import type { Tail, TailOptions } from '../log.js';
import type { Partition } from './partition.js';
import { Reader } from './reader.js';
import type { RecordTable } from './record-table.js';

const RETRY_PAUSE_MS = 100;

/** Reads all partitions of some topics, each partition on its own. */
export class EmbeddedTail implements Tail {
  readonly #partitions: readonly Partition[];
  readonly #readers: readonly Reader[];
  readonly #loops: readonly Promise<void>[];
  readonly #stopping = new AbortController();
  /** Offsets that have been delivered and dealt with, by partition. */
  readonly #done: number[];
  #waiting: { readonly ends: readonly number[]; readonly resolve: () => void }[] = [];

  constructor(table: RecordTable, partitions: readonly Partition[], options: TailOptions) {
    this.#partitions = partitions;
    this.#done = partitions.map((partition) => (options.from === 'latest' ? partition.next : 0));
    this.#readers = partitions.map((partition, i) => new Reader(table, [partition], [this.#done[i] as number]));
    this.#loops = this.#readers.map((reader, i) => this.#run(reader, i, options.batch));
  }

  caughtUp(): Promise<void> {
    const ends = this.#partitions.map((partition) => partition.next);
    return new Promise((resolve) => {
      this.#waiting.push({ ends, resolve });
      this.#settle();
    });
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    for (const reader of this.#readers) reader.close();
    await Promise.all(this.#loops);
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  async #run(reader: Reader, index: number, deliver: TailOptions['batch']): Promise<void> {
    const { signal } = this.#stopping;
    for (let batch = await reader.next(); batch !== undefined; batch = await reader.next()) {
      for (let delivered = batch.records.length === 0; !delivered && !signal.aborted; ) {
        try {
          await deliver(batch);
          delivered = true;
        } catch {
          // The reader of the tail reports its own errors; it gets the batch again.
          await pause(RETRY_PAUSE_MS, undefined, { signal }).catch(() => undefined);
        }
      }
      this.#done[index] = batch.nextOffset;
      this.#settle();
    }
  }

  #settle(): void {
    this.#waiting = this.#waiting.filter(({ ends, resolve }) => {
      const reached = ends.every((end, i) => (this.#done[i] as number) >= end);
      if (reached) resolve();
      return !reached;
    });
  }
}
