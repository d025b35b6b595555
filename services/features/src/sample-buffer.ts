import type { SignalWindow } from '@millwright/signal';
import { indexAtOrAfter, joined, part, timeOf, type Run } from './run.js';

export type Values = Float32Array | Float64Array;

/** What a buffer holds. */
export interface BufferContents {
  readonly runs: readonly Run[];
  readonly values: Values;
}

/** A run and where its values lie: position 0 is the first sample ever stored, so positions stay when old samples go. */
interface PlacedRun {
  run: Run;
  position: number;
}

const LEAST_CAPACITY = 64;
/** Share of an interval by which samples without gaps may be off their nominal place; rounding moves them by up to 1 µs. */
const TOLERANCE = 0.01;

/**
 * The samples of one signal that windows still need, in time order. Values lie side by side, so that a window is a view;
 * times are kept as runs, so that regular samples cost no memory for them. Float32 until the first float64 sample.
 */
export class SampleBuffer {
  #runs: PlacedRun[] = [];
  #values: Values = new Float32Array(0);
  /** Position of #values[0], and the live range. */
  #base = 0;
  #from = 0;
  #to = 0;

  static of({ runs, values }: BufferContents): SampleBuffer {
    const buffer = new SampleBuffer();
    buffer.#values = values.slice(0, 0);
    let at = 0;
    for (const run of runs) buffer.#append(run, values.subarray(at, (at += run.count)));
    return buffer;
  }

  contents(): BufferContents {
    return { runs: this.#runs.map(({ run }) => run), values: this.#values.subarray(this.#from - this.#base, this.#to - this.#base) };
  }

  /** Puts samples in their places. A sample at the very time of one that is there takes its place. */
  insert(run: Run, values: Values): void {
    if (run.count === 0) return;
    const last = this.#runs.at(-1);
    if (last === undefined || timeOf(run, 0) > timeOf(last.run, last.run.count - 1)) this.#append(run, values);
    else this.#merge(run, values);
  }

  /** Time of the first sample at or after a time; Infinity when there is none. */
  timeAtOrAfter(timeUs: number): number {
    const r = this.#runAtOrAfter(timeUs);
    const placed = this.#runs[r];
    return placed === undefined ? Infinity : timeOf(placed.run, indexAtOrAfter(placed.run, timeUs));
  }

  /**
   * The samples in [startUs, endUs), or undefined when there are none. Valid until the buffer changes.
   * @param intervalUs nominal time between samples: when they keep to it from the start on, they need no offsets
   */
  window(startUs: number, endUs: number, intervalUs: number): SignalWindow | undefined {
    const from = this.#positionAtOrAfter(startUs);
    const to = this.#positionAtOrAfter(endUs);
    if (from === to) return undefined;
    const values = this.#values.subarray(from - this.#base, to - this.#base);
    return this.#isGapless(startUs, endUs, intervalUs) ? { values } : { values, offsetsUs: this.#offsets(startUs, to - from) };
  }

  dropBefore(timeUs: number): void {
    const r = this.#runAtOrAfter(timeUs);
    if (r > 0) this.#runs.splice(0, r);
    const head = this.#runs[0];
    if (head === undefined) {
      this.#from = this.#to;
      return;
    }
    const gone = indexAtOrAfter(head.run, timeUs);
    if (gone > 0) this.#runs[0] = { run: part(head.run, gone, head.run.count), position: head.position + gone };
    this.#from = head.position + gone;
  }

  #append(run: Run, values: Values): void {
    this.#makeRoom(run.count, values instanceof Float64Array);
    this.#values.set(values, this.#to - this.#base);
    const last = this.#runs.at(-1);
    const whole = last && joined(last.run, run);
    if (last && whole) last.run = whole;
    else this.#runs.push({ run, position: this.#to });
    this.#to += run.count;
  }

  /** Takes off what lies after the start of `run` and appends both, stretch by stretch in the order of time. */
  #merge(run: Run, values: Values): void {
    const startUs = timeOf(run, 0);
    const r = this.#runAtOrAfter(startUs);
    const cut = this.#runs[r]!;
    const within = indexAtOrAfter(cut.run, startUs);
    const position = cut.position + within;
    const tail = this.#runs.splice(r).map((placed) => placed.run);
    tail[0] = part(cut.run, within, cut.run.count);
    if (within > 0) this.#runs.push({ run: part(cut.run, 0, within), position: cut.position });
    const old = new Stretches(tail, this.#values.slice(position - this.#base, this.#to - this.#base));
    this.#to = position;

    const added = new Stretches([run], values);
    while (old.headUs < Infinity && added.headUs < Infinity) {
      if (old.headUs === added.headUs) old.take(1);
      else if (old.headUs < added.headUs) this.#append(...old.takeBefore(added.headUs));
      else this.#append(...added.takeBefore(old.headUs));
    }
    for (const rest of [old, added]) while (rest.headUs < Infinity) this.#append(...rest.takeBefore(Infinity));
  }

  /** Index of the first run that ends at or after a time. */
  #runAtOrAfter(timeUs: number): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { run } = this.#runs[middle]!;
      if (timeOf(run, run.count - 1) < timeUs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #positionAtOrAfter(timeUs: number): number {
    const placed = this.#runs[this.#runAtOrAfter(timeUs)];
    return placed === undefined ? this.#to : placed.position + indexAtOrAfter(placed.run, timeUs);
  }

  /** Whether the samples of a window stand at the nominal interval, within TOLERANCE, the first in the first interval of it. */
  #isGapless(startUs: number, endUs: number, intervalUs: number): boolean {
    const toleranceUs = Math.max(1, TOLERANCE * intervalUs);
    let firstUs = NaN;
    let samples = 0;
    for (let r = this.#runAtOrAfter(startUs); r < this.#runs.length; r++) {
      const { run } = this.#runs[r]!;
      const from = indexAtOrAfter(run, startUs);
      const to = indexAtOrAfter(run, endUs);
      if (from === to) break;
      if (run.times !== undefined) return false;
      const headUs = timeOf(run, from);
      if (samples === 0) firstUs = headUs;
      // A run is a straight line: what holds of its ends holds between them.
      if (Math.abs(headUs - firstUs - samples * intervalUs) > toleranceUs) return false;
      samples += to - from;
      if (Math.abs(timeOf(run, to - 1) - firstUs - (samples - 1) * intervalUs) > toleranceUs) return false;
    }
    return firstUs - startUs < Math.ceil(intervalUs);
  }

  #offsets(startUs: number, count: number): Float64Array {
    const offsets = new Float64Array(count);
    let at = 0;
    for (let r = this.#runAtOrAfter(startUs); at < count; r++) {
      const { run } = this.#runs[r]!;
      for (let i = indexAtOrAfter(run, startUs); i < run.count && at < count; i++) offsets[at++] = timeOf(run, i) - startUs;
    }
    return offsets;
  }

  /** Makes room for more samples after the last: by moving the live ones to the front, or into a larger array. */
  #makeRoom(count: number, float64: boolean): void {
    const live = this.#to - this.#from;
    const widen = float64 && this.#values instanceof Float32Array;
    const fits = this.#to - this.#base + count <= this.#values.length;
    if (fits && !widen) return;
    const contents = this.#values.subarray(this.#from - this.#base, this.#to - this.#base);
    if (!widen && 2 * (live + count) <= this.#values.length) this.#values.set(contents);
    else {
      const capacity = Math.max(LEAST_CAPACITY, 3 * (live + count));
      const larger = float64 || this.#values instanceof Float64Array ? new Float64Array(capacity) : new Float32Array(capacity);
      larger.set(contents);
      this.#values = larger;
    }
    this.#base = this.#from;
  }
}

/** Runs with their values, taken off from the front. */
class Stretches {
  #index = 0;
  #at = 0;
  headUs: number;

  constructor(
    private readonly runs: Run[],
    private readonly values: Values,
  ) {
    this.headUs = this.#headUs();
  }

  /** Takes the samples of the first run that lie before a time: at least one, for the head does. */
  takeBefore(timeUs: number): [Run, Values] {
    return this.take(indexAtOrAfter(this.runs[this.#index]!, timeUs));
  }

  take(count: number): [Run, Values] {
    const run = this.runs[this.#index]!;
    const taken: [Run, Values] = [part(run, 0, count), this.values.subarray(this.#at, this.#at + count)];
    this.#at += count;
    if (count === run.count) this.#index++;
    else this.runs[this.#index] = part(run, count, run.count);
    this.headUs = this.#headUs();
    return taken;
  }

  #headUs(): number {
    const run = this.runs[this.#index];
    return run === undefined ? Infinity : timeOf(run, 0);
  }
}
