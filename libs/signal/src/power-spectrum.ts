import FFT from 'fft.js';

/** The least power of two that is at least n, and at least 8. */
export function transformSize(n: number): number {
  let size = 8;
  while (size < n) size *= 2;
  return size;
}

const plans = new Map<number, FFT>();

/** Transform of that size; its tables are made once. */
export function plan(size: number): FFT {
  let fft = plans.get(size);
  if (fft === undefined) plans.set(size, (fft = new FFT(size)));
  return fft;
}

/**
 * One-sided power spectrum of a fixed number of samples: periodic Hann window w, zero-padded to the next power of two N,
 * power[k] = c |FFT(w x)[k]|² / (N Σw²) with c = 1 for k = 0 and k = N/2, 2 between. By Parseval the sum of it is the
 * mean square of the signal, weighted by w². Equal to
 * `scipy.signal.periodogram(x, rate, 'hann', N, detrend=False)[1] * rate / N`.
 */
export class PowerSpectrum {
  /** Mean square per bin, squared units; N / 2 + 1 bins. */
  readonly power: Float64Array;
  /** Distance of bins. */
  readonly binHz: number;
  readonly #fft: FFT;
  readonly #window: Float64Array;
  readonly #windowed: Float64Array;
  readonly #transformed: Float64Array;
  readonly #scale: number;

  constructor(samples: number, rateHz: number) {
    const size = transformSize(samples);
    this.#fft = plan(size);
    this.#window = Float64Array.from({ length: samples }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / samples));
    this.#windowed = new Float64Array(size);
    this.#transformed = new Float64Array(2 * size);
    this.#scale = 1 / (size * this.#window.reduce((sum, w) => sum + w * w, 0));
    this.power = new Float64Array(size / 2 + 1);
    this.binHz = rateHz / size;
  }

  /**
   * Fills `power` from the first `samples` numbers of x.
   * @param scale factor to all powers, for samples that are missing (0 in x)
   */
  compute(x: Float64Array, scale: number): void {
    const window = this.#window;
    const windowed = this.#windowed;
    for (let i = 0; i < window.length; i++) windowed[i] = window[i]! * x[i]!;
    this.#fft.realTransform(this.#transformed, windowed);
    this.#square(scale);
  }

  /** Whether `computeFromTransform` can take the place of `compute`: where nothing is padded. */
  get takesTransform(): boolean {
    return this.#window.length === this.#windowed.length;
  }

  /**
   * As `compute`, from the transform of x without window (size / 2 + 1 bins, real and imaginary parts in turn), where that is
   * there for another purpose. The transform of a periodic Hann window has three bins, so that windowing is
   * W[k] = X[k] / 2 - (X[k - 1] + X[k + 1]) / 4, with X[-k] the conjugate of X[k].
   */
  computeFromTransform(x: Float64Array, scale: number): void {
    const w = this.#transformed;
    const last = this.power.length - 1;
    w[0] = 0.5 * (x[0]! - x[2]!);
    w[1] = 0;
    for (let i = 2; i < 2 * last; i++) w[i] = 0.5 * x[i]! - 0.25 * (x[i - 2]! + x[i + 2]!);
    w[2 * last] = 0.5 * (x[2 * last]! - x[2 * last - 2]!);
    w[2 * last + 1] = 0;
    this.#square(scale);
  }

  #square(scale: number): void {
    const transformed = this.#transformed;
    const power = this.power;
    const last = power.length - 1;
    const one = this.#scale * scale;
    const two = 2 * one;
    for (let k = 0; k <= last; k++) {
      const re = transformed[2 * k]!;
      const im = transformed[2 * k + 1]!;
      power[k] = two * (re * re + im * im);
    }
    power[0]! /= 2;
    power[last]! /= 2;
  }
}
