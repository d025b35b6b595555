import { LEAST_CORRELATED, peakCrossCorrelation, zScore } from './asset.js';
import { EnvelopeFeatures } from './envelope.js';
import { fnv1a64 } from './hash.js';
import { expectedSamples, type FeatureKind, type FeatureSignal } from './kind.js';
import { SpectrumFeatures } from './spectrum.js';
import { STATISTICS, statistics } from './statistics.js';

/** Most pairs of signals of a kind whose cross-correlation is taken. */
const MOST_PAIRS = 16;
/** Earlier windows whose means a z-score refers to. */
export const REFERENCE_WINDOWS = 64;
/** Spectrum, envelope and cross-correlation are NaN where more than this share of the samples is missing. */
const MOST_MISSING = 0.5;

/** Samples of one signal in one window, in time order; NaN is a missing sample. */
export interface SignalWindow {
  readonly values: Float32Array | Float64Array;
  /**
   * When each was taken, microseconds since the start of the window. Left out where they follow each other without gaps
   * at the nominal rate.
   */
  readonly offsetsUs?: Float64Array;
}

/**
 * Computes the features of the windows of one asset kind, in a fixed order:
 *
 * 1. signal by signal, as the plant file has them: "<signal>." and its STATISTICS; where asked for, the names of
 *    SpectrumFeatures and of EnvelopeFeatures
 * 2. "<signal>.z" of every signal: z-score of the mean against earlier windows (see zScore)
 * 3. "<a>~<b>.xcorr" of signals that follow each other in the plant file and have the same rate and at least 8 samples
 *    a window: at most 16 pairs, the first ones (see peakCrossCorrelation)
 *
 * Spectrum, envelope and cross-correlation see the signal on its nominal grid with its mean taken off and 0 for samples
 * that are missing; powers are divided by the share that is there, and more than half missing gives NaN.
 *
 * Keeps scratch memory: one call at a time.
 */
export class FeatureExtractor {
  /** What the values are, in order. */
  readonly names: readonly string[];
  /** Hash of kind and names: same layout, same meaning of values. */
  readonly layout: string;
  readonly #signals: readonly SignalPlan[];
  readonly #byName: ReadonlyMap<string, SignalPlan>;
  readonly #pairs: readonly (readonly [SignalPlan, SignalPlan])[];
  readonly #zAt: number;
  #scratch = new Float64Array(0);

  constructor(kind: FeatureKind) {
    const names: string[] = [];
    this.#signals = kind.signals.map((signal) => {
      const plan = new SignalPlan(signal, expectedSamples(kind, signal), names.length);
      names.push(...plan.names);
      return plan;
    });
    this.#byName = new Map(this.#signals.map((plan) => [plan.name, plan]));
    this.#zAt = names.length;
    for (const { name } of kind.signals) names.push(`${name}.z`);
    this.#pairs = pairs(this.#signals);
    for (const [a, b] of this.#pairs) names.push(`${a.name}~${b.name}.xcorr`);
    for (const plan of this.#signals) plan.keepSeries ||= this.#pairs.some((pair) => pair.includes(plan));
    this.names = names;
    this.layout = fnv1a64([kind.name, ...names].join('\n'));
  }

  /**
   * @param windows one per signal, in the kind's order; undefined where no sample came
   * @param references means (see `means`) of earlier windows; the last REFERENCE_WINDOWS there are
   * @param out where to put the values; `names.length` long
   * @returns out
   */
  extract(windows: readonly (SignalWindow | undefined)[], references: readonly Float64Array[], out: Float64Array): Float64Array {
    for (let s = 0; s < this.#signals.length; s++) {
      const plan = this.#signals[s]!;
      const window = windows[s];
      const count = window?.values.length ?? 0;
      if (count > this.#scratch.length) this.#scratch = new Float64Array(Math.max(count, 2 * this.#scratch.length));
      if (window !== undefined) this.#scratch.set(window.values);
      plan.compute(this.#scratch, count, window?.offsetsUs, out);
    }
    for (const plan of this.#signals) {
      const speed = plan.speedSignal === undefined ? undefined : this.#byName.get(plan.speedSignal);
      plan.demodulate(speed === undefined ? NaN : out[speed.at]! / 60, out);
    }
    let at = this.#zAt;
    for (let s = 0; s < this.#signals.length; s++) out[at++] = zScore(out[this.#signals[s]!.at]!, references, s);
    for (const [a, b] of this.#pairs) out[at++] = a.usable && b.usable ? peakCrossCorrelation(a.series, b.series, a.expected) : NaN;
    return out;
  }

  /** Mean of every signal, taken from extracted values. */
  means(values: Float64Array): Float64Array {
    const means = new Float64Array(this.#signals.length);
    for (let s = 0; s < means.length; s++) means[s] = values[this.#signals[s]!.at]!;
    return means;
  }

  /** Share of all expected samples that is missing, from extracted values: 0 to 1. */
  missingRatio(values: Float64Array): number {
    let missing = 0;
    let expected = 0;
    for (const plan of this.#signals) {
      missing += plan.missingRatio(values) * plan.expected;
      expected += plan.expected;
    }
    return expected === 0 ? 1 : missing / expected;
  }

  /** Indices of the signals of which no sample is there, from extracted values. */
  silent(values: Float64Array): number[] {
    const silent: number[] = [];
    this.#signals.forEach((plan, s) => {
      if (Number.isNaN(values[plan.at]!)) silent.push(s);
    });
    return silent;
  }
}

/** Adjacent signals that can be correlated. */
function pairs(plans: readonly SignalPlan[]): [SignalPlan, SignalPlan][] {
  const found: [SignalPlan, SignalPlan][] = [];
  for (let i = 1; i < plans.length && found.length < MOST_PAIRS; i++) {
    const a = plans[i - 1]!;
    const b = plans[i]!;
    if (a.intervalUs === b.intervalUs && a.expected >= LEAST_CORRELATED) found.push([a, b]);
  }
  return found;
}

/** Where the features of one signal go and what they need. */
class SignalPlan {
  readonly name: string;
  readonly names: readonly string[];
  readonly intervalUs: number;
  readonly speedSignal: string | undefined;
  /** The signal of the window on its nominal grid, without its mean; 0 where missing. */
  readonly series: Float64Array;
  /** Whether `series` is needed. */
  keepSeries: boolean;
  /** Whether enough of `series` is there. */
  usable = false;
  #offsetsUs = new Float64Array(0);
  readonly #spectrum: SpectrumFeatures | undefined;
  readonly #spectrumAt: number;
  readonly #envelope: EnvelopeFeatures | undefined;
  readonly #envelopeAt: number;

  constructor(
    signal: FeatureSignal,
    readonly expected: number,
    /** Place of the first feature of the signal, its mean. */
    readonly at: number,
  ) {
    this.name = signal.name;
    this.intervalUs = 1e6 / signal.rateHz;
    this.speedSignal = signal.envelope?.speedSignal;
    this.#spectrum = signal.spectrum && new SpectrumFeatures(signal.spectrum, expected, signal.rateHz);
    this.#spectrumAt = at + STATISTICS.length;
    this.#envelope = signal.envelope && new EnvelopeFeatures(signal.envelope, expected, signal.rateHz);
    this.#envelopeAt = this.#spectrumAt + (this.#spectrum?.names.length ?? 0);
    this.names = [...STATISTICS, ...(this.#spectrum?.names ?? []), ...(this.#envelope?.names ?? [])].map((feature) => `${signal.name}.${feature}`);
    this.keepSeries = this.#spectrum !== undefined || this.#envelope !== undefined;
    this.series = new Float64Array(expected);
  }

  missingRatio(values: Float64Array): number {
    return values[this.at + STATISTICS.length - 1]!;
  }

  /** Statistics and spectrum of the first `count` samples. */
  compute(samples: Float64Array, count: number, offsetsUs: Float64Array | undefined, out: Float64Array): void {
    statistics(samples, count, offsetsUs ?? this.#regular(count), this.expected, out, this.at);
    if (!this.keepSeries) return;
    const present = offsetsUs === undefined ? this.#center(samples, count, out[this.at]!) : this.#arrange(samples, offsetsUs, out[this.at]!);
    this.usable = present > 0 && present >= (1 - MOST_MISSING) * this.expected;
    const transformed = this.usable ? this.#envelope?.transform(this.series, this.expected) : undefined;
    if (this.#spectrum === undefined) return;
    if (this.usable) this.#spectrum.compute(this.series, this.expected / present, out, this.#spectrumAt, transformed);
    else out.fill(NaN, this.#spectrumAt, this.#envelopeAt);
  }

  /** Envelope at orders of the shaft speed, whose mean may come from a later signal: after compute of all signals. */
  demodulate(shaftHz: number, out: Float64Array): void {
    if (this.#envelope === undefined) return;
    if (this.usable) this.#envelope.computeFromTransform(shaftHz, out, this.#envelopeAt);
    else out.fill(NaN, this.#envelopeAt, this.#envelopeAt + this.#envelope.names.length);
  }

  /** When samples without gaps were taken. Not less than `count` of them: a clock that runs fast gives more than expected. */
  #regular(count: number): Float64Array {
    if (this.#offsetsUs.length < count) this.#offsetsUs = Float64Array.from({ length: count }, (_, i) => i * this.intervalUs);
    return this.#offsetsUs;
  }

  /** Fills `series` from samples without gaps; returns how many are there. */
  #center(samples: Float64Array, count: number, mean: number): number {
    const series = this.series;
    const usable = Math.min(count, series.length);
    let present = 0;
    for (let i = 0; i < usable; i++) {
      const d = samples[i]! - mean;
      if (d - d === 0) {
        series[i] = d;
        present++;
      } else series[i] = 0;
    }
    series.fill(0, usable);
    return present;
  }

  /**
   * Fills `series` from samples at given times: the first on the slot it lies in, the others on the slot nearest by their distance
   * from it, so that jitter below half an interval moves none; the later one wins a slot. Returns how many are there.
   */
  #arrange(samples: Float64Array, offsetsUs: Float64Array, mean: number): number {
    const series = this.series;
    series.fill(NaN);
    const first = offsetsUs[0] ?? 0;
    const slot = Math.floor(first / this.intervalUs);
    for (let i = 0; i < offsetsUs.length; i++) {
      const d = samples[i]! - mean;
      const place = slot + Math.round((offsetsUs[i]! - first) / this.intervalUs);
      if (d - d === 0 && place < series.length) series[place] = d;
    }
    let present = 0;
    for (let i = 0; i < series.length; i++) {
      if (series[i]! - series[i]! === 0) present++;
      else series[i] = 0;
    }
    return present;
  }
}
