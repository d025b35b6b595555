/** Jobs that gathered enough before more is asked for, at first. */
const PATIENCE = 8;
/** What that grows to where asking for more is in vain: one job in so many then waits for rows that do not come. */
const MOST_PATIENCE = 1_024;

/**
 * How many rows are worth waiting for, learned from how many come: it goes up by a quarter while they do, and down to what came when the
 * wait was in vain. A lone caller is hardly ever kept waiting, and a crowd fills its batches, whose cost is the same however full they are.
 */
export class GatherTarget {
  readonly #most: number;
  #rows = 1;
  #reached = 0;
  #patience = PATIENCE;
  #isTrying = false;

  /** @param most rows of a batch */
  constructor(most: number) {
    this.#most = most;
  }

  get rows(): number {
    return this.#rows;
  }

  /** A job starts with so many rows, because there were enough or because the oldest has waited long enough. */
  started(rows: number): void {
    if (rows < this.#rows) {
      this.#patience = this.#isTrying ? Math.min(MOST_PATIENCE, 2 * this.#patience) : PATIENCE;
      this.#rows = Math.max(1, rows);
      this.#reached = 0;
      this.#isTrying = false;
      return;
    }
    if (this.#isTrying) this.#patience = PATIENCE;
    this.#isTrying = false;
    this.#reached++;
    if (this.#reached < this.#patience || this.#rows === this.#most) return;
    this.#rows = Math.min(this.#most, this.#rows + Math.max(1, this.#rows >> 2));
    this.#reached = 0;
    this.#isTrying = true;
  }
}
