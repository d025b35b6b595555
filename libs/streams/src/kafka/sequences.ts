import type { PartitionBatch } from './batching.js';
import type { NumberedBatch } from './produce-request.js';

/** Records for a partition of a topic, numbered. */
export type Numbered = NumberedBatch & { readonly topic: string };

/** Numbers the records of a producer, each partition for itself: by that the broker tells repetitions. */
export class Sequences {
  /** Number of the next record, by topic and partition. */
  readonly #next = new Map<string, number>();

  number(batches: readonly PartitionBatch[]): Numbered[] {
    return batches.map(({ topic, partition, batch }) => {
      const key = `${partition}/${topic}`;
      const firstSequence = this.#next.get(key) ?? 0;
      // Sequence numbers are of 32 bits and begin anew after the greatest.
      this.#next.set(key, (firstSequence + batch.count) % 2 ** 31);
      return { topic, partition, firstSequence, batch };
    });
  }

  /** Begins anew, as a producer does whose epoch is another. */
  clear(): void {
    this.#next.clear();
  }
}
