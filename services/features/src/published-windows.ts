/** Columns before the means. */
const INDEX = 0;
const REVISION = 1;
const EMPTY = 2;
const MEANS = 3;
const LEAST_ROWS = 4;

/**
 * The windows of an asset that have been published and may be amended or referred to, by ascending index. They lie in one
 * array, a row each, for there are many assets and a few dozen windows of each.
 */
export class PublishedWindows {
  #length = 0;
  #rows: Float64Array;
  readonly #width: number;

  /** @param signals means of a window */
  constructor(private readonly signals: number) {
    this.#width = MEANS + signals;
    this.#rows = new Float64Array(LEAST_ROWS * this.#width);
  }

  get length(): number {
    return this.#length;
  }

  index(at: number): number {
    return this.#rows[at * this.#width + INDEX]!;
  }

  /** 0 when first published; one more with each amendment. */
  revision(at: number): number {
    return this.#rows[at * this.#width + REVISION]!;
  }

  /** Whether no sample of any signal was in it. */
  isEmpty(at: number): boolean {
    return this.#rows[at * this.#width + EMPTY] === 1;
  }

  /** Mean of every signal: what z-scores of later windows refer to. A view, valid until the next change. */
  means(at: number): Float64Array {
    const from = at * this.#width + MEANS;
    return this.#rows.subarray(from, from + this.signals);
  }

  /** Copies the means of a window. */
  copyMeans(at: number, to: Float64Array): void {
    const from = at * this.#width + MEANS;
    for (let s = 0; s < this.signals; s++) to[s] = this.#rows[from + s]!;
  }

  /** How many windows have an index of at most k; looks from the end, where it nearly always is. */
  countUpTo(k: number): number {
    let count = this.#length;
    while (count > 0 && this.index(count - 1) > k) count--;
    return count;
  }

  /** Place of window k, -1 where it has not been published. */
  find(k: number): number {
    const at = this.countUpTo(k) - 1;
    return at >= 0 && this.index(at) === k ? at : -1;
  }

  /** Puts window k in its place, or in the place of its earlier revision. */
  put(k: number, revision: number, empty: boolean, means: Float64Array): void {
    const at = this.countUpTo(k - 1);
    if (at === this.#length || this.index(at) !== k) {
      this.#makeRoom();
      this.#rows.copyWithin((at + 1) * this.#width, at * this.#width, this.#length * this.#width);
      this.#length++;
    }
    const row = at * this.#width;
    this.#rows[row + INDEX] = k;
    this.#rows[row + REVISION] = revision;
    this.#rows[row + EMPTY] = empty ? 1 : 0;
    this.#rows.set(means, row + MEANS);
  }

  dropFirst(count: number): void {
    this.#rows.copyWithin(0, count * this.#width, this.#length * this.#width);
    this.#length -= count;
  }

  #makeRoom(): void {
    if ((this.#length + 1) * this.#width <= this.#rows.length) return;
    const rows = this.#length + Math.max(LEAST_ROWS, this.#length >> 1);
    const larger = new Float64Array(rows * this.#width);
    larger.set(this.#rows);
    this.#rows = larger;
  }
}
