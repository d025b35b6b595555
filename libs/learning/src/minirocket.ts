import type { Matrix } from './matrix.js';
import { Random } from './random.js';
import { roundHalfEven } from './windows.js';

/** Taps of a kernel; three of them weigh 2 and the others -1, in all 84 ways. */
export const TAPS = 9;
const KERNELS: readonly (readonly [number, number, number])[] = triples(TAPS);
export const KERNEL_COUNT = KERNELS.length;
const MOST_DILATIONS = 32;
const MOST_CHANNELS = 9;
const GOLDEN = (Math.sqrt(5) + 1) / 2;

/**
 * Values are rounded to so many steps a unit before they are convolved. Kernels are whole numbers, so that every sum is a whole
 * number of steps below 2^24, which float32 holds exactly whatever the order of summation; biases lie halfway between two. So a
 * graph says what this says, to the last comparison.
 */
export const STEPS = 1024;

export interface MiniRocketOptions {
  /** Features wanted; there are as many as fill all kernels alike, at least one a kernel. */
  readonly features: number;
  readonly seed: number;
}

/** Convolutions of one dilation. */
export interface DilatedKernels {
  readonly dilation: number;
  /** Channels that each kernel adds up. */
  readonly channels: readonly (readonly number[])[];
  /** By kernel: biases, in steps, each of which gives a feature. */
  readonly biases: readonly Float64Array[];
  /** By kernel: true where the series is continued with zeros on both sides, so that every value has its place in the middle. */
  readonly padded: readonly boolean[];
}

/**
 * MiniRocket for several channels (Dempster, Schmidt and Webb 2021, KDD, doi 10.1145/3447548.3467231, and the authors' multivariate
 * code): shares of values above a bias in series convolved with 84 fixed kernels, dilated and over random channels; biases are
 * quantiles of what convolving a random training window gives.
 */
export interface MiniRocket {
  readonly history: number;
  readonly channels: number;
  readonly dilations: readonly DilatedKernels[];
  readonly features: number;
}

/**
 * @param scaled [rows, history, channels]
 * @throws RangeError for windows shorter than a kernel
 */
export function fitMiniRocket(scaled: Float32Array, rows: number, history: number, channels: number, { features, seed }: MiniRocketOptions): MiniRocket {
  if (history < TAPS) throw new RangeError(`windows have ${history} steps, and a kernel has ${TAPS}`);
  const random = new Random(seed);
  const perKernel = Math.max(1, Math.floor(features / KERNEL_COUNT));
  let quantile = 0;
  const dilations = dilationsOf(history, perKernel).map(({ dilation, count }, index): DilatedKernels => {
    const chosen = KERNELS.map(() => drawChannels(channels, random));
    const biases = KERNELS.map((taps, kernel) => {
      const from = Math.floor(random.uniform() * rows) * history * channels;
      const sorted = convolve(stepsOf(scaled, from, history, channels), history, chosen[kernel]!, taps, dilation, new Float64Array(history)).sort();
      return Float64Array.from({ length: count }, () => {
        // Low-discrepancy quantiles, in the order of the features.
        const share = (++quantile * GOLDEN) % 1;
        return Math.floor(quantileOf(sorted, share)) + 0.5;
      });
    });
    return { dilation, channels: chosen, biases, padded: KERNELS.map((_, kernel) => (index + kernel) % 2 === 0) };
  });
  return { history, channels, dilations, features: perKernel * KERNEL_COUNT };
}

/** @returns [rows, features], dilation by dilation, in it kernel by kernel */
export function transformMiniRocket({ history, channels, dilations, features }: MiniRocket, scaled: Float32Array, rows: number): Matrix {
  const values = new Float64Array(rows * features);
  const convolved = new Float64Array(history);
  for (let row = 0; row < rows; row++) {
    const steps = stepsOf(scaled, row * history * channels, history, channels);
    let at = row * features;
    for (const { dilation, channels: chosen, biases, padded } of dilations) {
      KERNELS.forEach((taps, kernel) => {
        convolve(steps, history, chosen[kernel]!, taps, dilation, convolved);
        const margin = padded[kernel]! ? 0 : marginOf(dilation);
        for (const bias of biases[kernel]!) {
          let above = 0;
          for (let step = margin; step < history - margin; step++) if (convolved[step]! > bias) above++;
          values[at++] = above / (history - 2 * margin);
        }
      });
    }
  }
  return { values, rows, columns: features };
}

/** Weights of a kernel's taps. */
export const weightsOf = (kernel: number): number[] => Array.from({ length: TAPS }, (_, tap) => (KERNELS[kernel]!.includes(tap) ? 2 : -1));

/** Values at either end that have no full kernel around them. */
export const marginOf = (dilation: number): number => ((TAPS - 1) / 2) * dilation;

/**
 * Dilations from 1 to as far as a kernel fits into the window, spread exponentially, and features that each gives a kernel, as the
 * authors spread them.
 */
function dilationsOf(history: number, perKernel: number): { dilation: number; count: number }[] {
  const wanted = Math.min(perKernel, MOST_DILATIONS);
  const greatest = Math.log2((history - 1) / (TAPS - 1));
  const counts = new Map<number, number>();
  for (let i = 0; i < wanted; i++) {
    const dilation = Math.floor(2 ** (wanted === 1 ? 0 : (i * greatest) / (wanted - 1)));
    counts.set(dilation, (counts.get(dilation) ?? 0) + 1);
  }
  const result = [...counts].map(([dilation, count]) => ({ dilation, count: Math.floor((count * perKernel) / wanted) }));
  let left = perKernel - result.reduce((sum, { count }) => sum + count, 0);
  for (let i = 0; left > 0; left--, i = (i + 1) % result.length) result[i]!.count++;
  return result;
}

/** How many channels is exponentially distributed, up to as many as there are taps. */
function drawChannels(channels: number, random: Random): number[] {
  const most = Math.min(channels, MOST_CHANNELS);
  const count = Math.floor(2 ** (random.uniform() * Math.log2(most + 1)));
  const order = Int32Array.from({ length: channels }, (_, i) => i);
  random.shuffle(order);
  return [...order.subarray(0, count)].sort((a, b) => a - b);
}

/** A window in whole steps, [channels, history]. */
function stepsOf(scaled: Float32Array, from: number, history: number, channels: number): Float64Array {
  const result = new Float64Array(history * channels);
  for (let step = 0; step < history; step++) {
    for (let channel = 0; channel < channels; channel++) result[channel * history + step] = roundHalfEven(scaled[from + step * channels + channel]! * STEPS);
  }
  return result;
}

function convolve(steps: Float64Array, history: number, chosen: readonly number[], taps: readonly [number, number, number], dilation: number, out: Float64Array): Float64Array {
  const sum = new Float64Array(history);
  for (const channel of chosen) for (let step = 0; step < history; step++) sum[step]! += steps[channel * history + step]!;
  out.fill(0);
  const add = (tap: number, weight: number): void => {
    const shift = (tap - (TAPS - 1) / 2) * dilation;
    for (let step = Math.max(0, -shift); step < Math.min(history, history - shift); step++) out[step]! += weight * sum[step + shift]!;
  };
  for (let tap = 0; tap < TAPS; tap++) add(tap, -1);
  for (const tap of taps) add(tap, 3);
  return out;
}

/** Linear interpolation between order statistics. */
function quantileOf(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  return sorted[below]! + (place - below) * (sorted[Math.min(sorted.length - 1, below + 1)]! - sorted[below]!);
}

function triples(count: number): [number, number, number][] {
  const result: [number, number, number][] = [];
  for (let a = 0; a < count; a++) for (let b = a + 1; b < count; b++) for (let c = b + 1; c < count; c++) result.push([a, b, c]);
  return result;
}
