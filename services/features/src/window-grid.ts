import type { WindowSpec } from '@millwright/plant';

/** The windows [k * hop, k * hop + length) of event time, by their index k. Microseconds since the epoch. */
export class WindowGrid {
  readonly lengthUs: number;
  readonly hopUs: number;
  readonly graceUs: number;

  constructor({ lengthUs, hopUs, graceUs }: WindowSpec) {
    this.lengthUs = lengthUs;
    this.hopUs = hopUs;
    this.graceUs = graceUs;
  }

  start(k: number): number {
    return k * this.hopUs;
  }

  end(k: number): number {
    return k * this.hopUs + this.lengthUs;
  }

  /** The first window that ends after a time: the first that is open when the clock stands there. */
  firstEndingAfter(timeUs: number): number {
    return Math.floor((timeUs - this.lengthUs) / this.hopUs) + 1;
  }

  /** The last window that starts at a time or before. */
  lastStartingBy(timeUs: number): number {
    return Math.floor(timeUs / this.hopUs);
  }

  /** The first window that can still be amended when the clock stands at a time. */
  firstAmendable(clockUs: number): number {
    return this.firstEndingAfter(clockUs - this.graceUs);
  }
}
