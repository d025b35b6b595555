/** Offsets of one partition live in ids from `id × STRIDE`. */
export const STRIDE = 2 ** 40;

/** One partition of one topic: where it ends, and who waits for more. */
export class Partition {
  readonly topic: string;
  readonly number: number;
  /** Id of offset 0. */
  readonly base: number;
  /** Next offset to be written, of what is committed. */
  next: number;
  /** Next offset, counting the transaction under way. */
  pending: number;
  readonly #readers = new Set<() => void>();

  constructor(topic: string, number: number, id: number, next: number) {
    this.topic = topic;
    this.number = number;
    this.base = id * STRIDE;
    this.next = next;
    this.pending = next;
  }

  subscribe(wake: () => void): () => void {
    this.#readers.add(wake);
    return () => this.#readers.delete(wake);
  }

  committed(): void {
    this.next = this.pending;
    for (const wake of this.#readers) wake();
  }

  rolledBack(): void {
    this.pending = this.next;
  }
}
