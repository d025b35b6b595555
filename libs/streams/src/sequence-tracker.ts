/** Ranges kept above gaps; beyond it the oldest gap is given up as missing for good. */
const MAX_RANGES = 64;

/** A tracker's whole state, for checkpoints: low, missing, uncounted, then from and to of each range. */
export type SequenceSnapshot = readonly number[];

/**
 * Remembers exactly which sequence numbers of one writer have been seen: all up to `low`, and ranges above it with gaps
 * between. So a repeat is recognised, and what is missing is counted, also when a gap is filled late (backfill).
 */
export class SequenceTracker {
  /** Numbers that are missing: never seen, though a later one was. */
  missing = 0;
  #low = 0;
  readonly #uncounted: number;
  /** From and to of each range above `low`, ascending, with a gap before each. */
  readonly #ranges: number[] = [];

  /** @param uncounted numbers up to this one are not called missing: retention had dropped them before this reader began */
  constructor(uncounted = 0) {
    this.#uncounted = uncounted;
  }

  /** @returns whether `sequence` (a whole number from 1) is new; false for a repeat */
  observe(sequence: number): boolean {
    const ranges = this.#ranges;
    if (ranges.length === 0 && sequence === this.#low + 1) {
      this.#low = sequence;
      return true;
    }
    if (sequence <= this.#low) return false;
    // Index of the first range that begins beyond `sequence`: most often none does.
    let at = ranges.length;
    while (at > 0 && (ranges[at - 2] as number) > sequence) at -= 2;
    const before = at > 0 ? (ranges[at - 1] as number) : this.#low;
    if (sequence <= before) return false;
    if (at === ranges.length) this.missing += Math.max(0, sequence - 1 - Math.max(before, this.#uncounted));
    else if (sequence > this.#uncounted) this.missing--;
    this.#insert(at, sequence, before);
    if (ranges.length > 2 * MAX_RANGES) this.#low = ranges.splice(0, 2)[1] as number;
    return true;
  }

  snapshot(): SequenceSnapshot {
    return [this.#low, this.missing, this.#uncounted, ...this.#ranges];
  }

  static restore(snapshot: SequenceSnapshot): SequenceTracker {
    const [low = 0, missing = 0, uncounted = 0, ...ranges] = snapshot;
    const tracker = new SequenceTracker(uncounted);
    tracker.#low = low;
    tracker.missing = missing;
    tracker.#ranges.push(...ranges);
    return tracker;
  }

  #insert(at: number, sequence: number, before: number): void {
    const ranges = this.#ranges;
    const joinsBefore = sequence === before + 1;
    const joinsAfter = ranges[at] === sequence + 1;
    if (joinsBefore && at === 0) this.#low = joinsAfter ? (ranges.splice(0, 2)[1] as number) : sequence;
    else if (joinsBefore && joinsAfter) ranges.splice(at - 1, 2);
    else if (joinsBefore) ranges[at - 1] = sequence;
    else if (joinsAfter) ranges[at] = sequence;
    else ranges.splice(at, 0, sequence, sequence);
  }
}
