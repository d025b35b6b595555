import { setImmediate } from 'node:timers/promises';
import type { LogBatch } from '../log.js';
import type { Partition } from './partition.js';
import type { RecordTable } from './record-table.js';

/** Reads some partitions in turn, a batch at a time, and sleeps while there is nothing. */
export class Reader {
  readonly #table: RecordTable;
  readonly #partitions: readonly Partition[];
  readonly #positions: number[];
  readonly #unsubscribe: readonly (() => void)[];
  #turn = 0;
  #wake: (() => void) | undefined;
  #closed = false;
  #busy = false;

  /** @param positions offsets to begin at, one a partition */
  constructor(table: RecordTable, partitions: readonly Partition[], positions: readonly number[]) {
    this.#table = table;
    this.#partitions = partitions;
    this.#positions = [...positions];
    this.#unsubscribe = partitions.map((partition) => partition.subscribe(() => this.#wake?.()));
  }

  /** The next batch, empty where all that was left had been dropped by retention; undefined once closed. */
  async next(): Promise<LogBatch | undefined> {
    // One batch right behind another lets the rest of the process have its turn: a long backlog must not starve it.
    if (this.#busy) await setImmediate();
    while (!this.#closed) {
      for (let i = 0; i < this.#partitions.length; i++) {
        const at = (this.#turn + i) % this.#partitions.length;
        const batch = this.#table.read(this.#partitions[at] as Partition, this.#positions[at] as number);
        if (batch === undefined) continue;
        this.#positions[at] = batch.nextOffset;
        this.#turn = at + 1;
        this.#busy = true;
        return batch;
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
      this.#busy = false;
    }
    return undefined;
  }

  close(): void {
    this.#closed = true;
    for (const each of this.#unsubscribe) each();
    this.#wake?.();
  }
}
