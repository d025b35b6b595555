import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { FeatureVector, packFloat64 } from '@millwright/contracts';
import type { AssetKind } from '@millwright/plant';
import { FeatureExtractor, fnv1a64, REFERENCE_WINDOWS, type SignalWindow } from '@millwright/signal';
import { indexAtOrAfter, part, timeOf, type Run } from './run.js';
import type { Values } from './sample-buffer.js';
import { initialState, type AssetWindows } from './state.js';
import { WindowGrid } from './window-grid.js';

/** Samples of one signal, to be taken in. */
export interface SignalSamples {
  /** Place of the signal in its kind. */
  readonly signal: number;
  readonly values: Values;
}

/** A window that has been computed. */
export interface WindowFeatures {
  readonly endUs: number;
  /** Encoded FeatureVector. */
  readonly vector: Uint8Array;
}

/** How many samples were put to use, and how many belong to windows that can't be amended any more. */
export interface Uptake {
  readonly used: number;
  readonly late: number;
}

/** A signal this many windows with their grace behind the furthest one isn't waited for: what bounds the memory. */
const PATIENCE = 8;

/**
 * The windows of the assets of one kind: which there are, when they close and what is published of them.
 *
 * An asset's **clock** is the later of the watermark and the time that all its live signals have reached: a signal has reached
 * one nominal interval beyond its latest sample, and is live unless it sent nothing since the last published window that was
 * not empty began. A window closes when the clock reaches its end, and can be amended by late data for the grace after that.
 *
 * A window is **published** when it is closed, began with the asset's data or later, and holds samples; or when it is
 * the first empty one after such a window, with missing_ratio 1: the asset has fallen idle. So what is published in
 * the end depends on the samples alone, not on the order in which they came, as long as none came after the grace.
 *
 * A z-score refers to the last 64 windows that ended a grace or more before its own window did: those are final, so
 * amendments don't spread.
 */
export class KindWindows {
  readonly spec: string;
  readonly extractor: FeatureExtractor;
  readonly #kind: AssetKind;
  readonly #grid: WindowGrid;
  readonly #intervalsUs: readonly number[];
  /** How many windows an earlier one must lie back to be final when a window closes. */
  readonly #finalAfter: number;
  readonly #values: Float64Array;
  /** Where references are put. */
  readonly #rows: readonly Float64Array[];
  readonly #writer = new BinaryWriter();

  constructor(kind: AssetKind) {
    this.#kind = kind;
    this.#grid = new WindowGrid(kind.window);
    this.extractor = new FeatureExtractor(kind);
    this.#intervalsUs = kind.signals.map(({ rateHz }) => 1e6 / rateHz);
    this.#finalAfter = Math.max(1, Math.ceil(kind.window.graceUs / kind.window.hopUs));
    this.#values = new Float64Array(this.extractor.names.length);
    this.#rows = Array.from({ length: REFERENCE_WINDOWS }, () => new Float64Array(kind.signals.length));
    const { lengthUs, hopUs, graceUs } = kind.window;
    const signals = kind.signals.map(({ name, rateHz, spectrum, envelope }) => ({ name, rateHz, spectrum, envelope }));
    this.spec = fnv1a64(JSON.stringify([kind.name, lengthUs, hopUs, graceUs, signals, this.extractor.layout]));
  }

  initial(): AssetWindows {
    return initialState(this.spec, this.#kind.signals.length);
  }

  /**
   * When the plant file has changed since the state was made: starts windows anew with the data from now on, on the
   * clock as it stood, so that no stretch of time is published twice.
   */
  renew(state: AssetWindows): void {
    if (state.spec === this.spec) return;
    const { clockUs, timerUs } = state;
    Object.assign(state, this.initial(), { clockUs, timerUs });
  }

  /** Takes samples in, signal after signal, and re-publishes the closed windows that they amend. Their values are copied. */
  take(asset: string, state: AssetWindows, run: Run, samples: Iterable<SignalSamples>, published: WindowFeatures[]): Uptake {
    const grid = this.#grid;
    const first = grid.firstAmendable(state.clockUs);
    const begin = indexAtOrAfter(run, grid.start(first));
    const late = this.#finalSamples(run, begin);
    const pieces = this.#pieces(run, first, begin);
    const oldBeginUs = state.beginUs;
    for (const { signal, values } of samples) {
      const track = state.signals[signal]!;
      track.lastUs = Math.max(track.lastUs, timeOf(run, run.count - 1));
      if (begin < run.count) state.beginUs = Math.min(state.beginUs, timeOf(run, begin) - this.#intervalsUs[signal]!);
      for (const [from, to] of pieces) track.buffer.insert(part(run, from, to), values.subarray(from, to));
    }
    const used = run.count - begin;
    if (used > 0 && state.clockUs > -Infinity) this.#amend(asset, state, part(run, begin, run.count), oldBeginUs, published);
    return { used, late };
  }

  /** Moves the clock on, closes what it passes and forgets what is not needed any more. */
  advance(asset: string, state: AssetWindows, watermarkUs: number, published: WindowFeatures[]): void {
    const grid = this.#grid;
    const before = state.clockUs;
    state.clockUs = Math.max(before, watermarkUs, this.#reachedUs(state));
    if (state.clockUs === before) return;
    for (let k = this.#next(state, grid.firstEndingAfter(before)); grid.end(k) <= state.clockUs; k = this.#next(state, k + 1)) {
      if (this.#isDue(state, k)) published.push(this.#publish(asset, state, k));
    }
    this.#forget(state);
  }

  /** End of the next window that may be published: when to look again at the latest. Infinity when nothing is pending. */
  nextCloseUs(state: AssetWindows): number {
    return this.#grid.end(this.#next(state, this.#grid.firstEndingAfter(state.clockUs)));
  }

  /** How many of the samples before index `end` lie in windows; those between windows are of no use, early or late. */
  #finalSamples(run: Run, end: number): number {
    const { lengthUs, hopUs } = this.#grid;
    if (hopUs <= lengthUs) return end;
    let late = 0;
    for (let i = 0; i < end; i++) if (timeOf(run, i) % hopUs < lengthUs) late++;
    return late;
  }

  /** Stretches [from, to) of a run, from index `begin` on, that lie in windows from `first` on. */
  #pieces(run: Run, first: number, begin: number): [number, number][] {
    const grid = this.#grid;
    if (begin === run.count) return [];
    if (grid.hopUs <= grid.lengthUs) return [[begin, run.count]];
    const pieces: [number, number][] = [];
    for (let i = begin; i < run.count; ) {
      const k = Math.max(first, grid.firstEndingAfter(timeOf(run, i)));
      const from = indexAtOrAfter(run, grid.start(k));
      const to = indexAtOrAfter(run, grid.end(k));
      if (from < to) pieces.push([from, to]);
      i = Math.max(from, to);
    }
    return pieces;
  }

  /** Publishes again the closed windows that new samples fall in, and for the first time those that are due only now. */
  #amend(asset: string, state: AssetWindows, run: Run, oldBeginUs: number, published: WindowFeatures[]): void {
    const grid = this.#grid;
    const lastUs = timeOf(run, run.count - 1);
    // Windows that were not whole before data from before them came; and the one that follows is now the first empty one, perhaps.
    const changedUs = state.beginUs < oldBeginUs && oldBeginUs < Infinity ? Math.max(lastUs, oldBeginUs) : lastUs;
    const end = Math.min(grid.lastStartingBy(changedUs) + 2, grid.firstEndingAfter(state.clockUs));
    for (let k = Math.max(grid.firstAmendable(state.clockUs), grid.firstEndingAfter(timeOf(run, 0))); k < end; k++) {
      const touched = indexAtOrAfter(run, grid.start(k)) < indexAtOrAfter(run, grid.end(k));
      if ((touched || state.published.find(k) === -1) && this.#isDue(state, k)) published.push(this.#publish(asset, state, k));
    }
  }

  /** The time that all live signals have reached. */
  #reachedUs(state: AssetWindows): number {
    const { lengthUs, hopUs, graceUs } = this.#grid;
    let last = state.published.length - 1;
    while (last >= 0 && state.published.isEmpty(last)) last--;
    const liveSinceUs = last === -1 ? -Infinity : this.#grid.start(state.published.index(last));
    let reachedUs = Infinity;
    let furthestUs = -Infinity;
    for (let s = 0; s < state.signals.length; s++) {
      const { lastUs } = state.signals[s]!;
      furthestUs = Math.max(furthestUs, lastUs);
      if (lastUs >= liveSinceUs) reachedUs = Math.min(reachedUs, lastUs + Math.ceil(this.#intervalsUs[s]!));
    }
    const impatientUs = furthestUs - PATIENCE * (Math.max(lengthUs, hopUs) + graceUs);
    return Math.max(impatientUs, reachedUs === Infinity ? -Infinity : reachedUs);
  }

  /** The first window from k on that may be published: it follows one that was not empty, or there are samples. Leaps over gaps. */
  #next(state: AssetWindows, k: number): number {
    const last = state.published.length - 1;
    if (last >= 0 && state.published.index(last) === k - 1 && !state.published.isEmpty(last)) return k;
    const startUs = this.#grid.start(k);
    let sampleUs = Infinity;
    for (const { buffer } of state.signals) sampleUs = Math.min(sampleUs, buffer.timeAtOrAfter(startUs));
    return Math.max(k, this.#grid.firstEndingAfter(sampleUs));
  }

  #isDue(state: AssetWindows, k: number): boolean {
    const startUs = this.#grid.start(k);
    const endUs = this.#grid.end(k);
    if (state.signals.some(({ buffer }) => buffer.timeAtOrAfter(startUs) < endUs)) return startUs > state.beginUs;
    const before = state.published.find(k - 1);
    return before !== -1 && !state.published.isEmpty(before);
  }

  #publish(asset: string, state: AssetWindows, k: number): WindowFeatures {
    const windowStartUs = this.#grid.start(k);
    const windowEndUs = this.#grid.end(k);
    const windows = state.signals.map(({ buffer }, s): SignalWindow | undefined => buffer.window(windowStartUs, windowEndUs, this.#intervalsUs[s]!));
    const values = this.extractor.extract(windows, this.#references(state, k), this.#values);
    const empty = windows.every((window) => window === undefined);
    const means = this.extractor.means(values);
    const earlier = state.published.find(k);
    const revision = earlier === -1 ? 0 : state.published.revision(earlier) + 1;
    state.published.put(k, revision, empty, means);
    const message: FeatureVector = {
      asset,
      kind: this.#kind.name,
      windowStartUs,
      windowEndUs,
      revision,
      layout: this.extractor.layout,
      values: packFloat64(values),
      missingRatio: this.extractor.missingRatio(values),
      silentSignals: this.extractor.silent(values).map((s) => this.#kind.signals[s]!.name),
    };
    const vector = FeatureVector.encode(message, this.#writer).finish();
    if (state.published.index(state.published.length - 1) === k) state.latest = vector;
    return { endUs: windowEndUs, vector };
  }

  /** Means of the last windows that were final when window k closed; valid until the next call. */
  #references(state: AssetWindows, k: number): readonly Float64Array[] {
    const end = state.published.countUpTo(k - this.#finalAfter);
    const first = Math.max(0, end - REFERENCE_WINDOWS);
    for (let i = first; i < end; i++) state.published.copyMeans(i, this.#rows[i - first]!);
    return end - first === REFERENCE_WINDOWS ? this.#rows : this.#rows.slice(0, end - first);
  }

  /** Drops samples that only final windows hold, and published windows that nothing refers to any more. */
  #forget(state: AssetWindows): void {
    const first = this.#grid.firstAmendable(state.clockUs);
    for (const { buffer } of state.signals) buffer.dropBefore(this.#grid.start(first));
    const unneeded = state.published.countUpTo(first - this.#finalAfter - 1) - REFERENCE_WINDOWS;
    if (unneeded > 0) state.published.dropFirst(unneeded);
  }
}
