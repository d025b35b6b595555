import type FFT from 'fft.js';
import type { EnvelopeBand } from './kind.js';
import { plan, PowerSpectrum, transformSize } from './power-spectrum.js';

/** Half width of what belongs to a characteristic frequency, in resolutions (rate / samples): most of the Hann main lobe. */
const TOLERANCE = 1.5;

/**
 * Energy of the envelope at the characteristic frequencies of a bearing or gear (Randall and Antoni, Mech. Syst. Signal
 * Process. 25, 2011, section 4): the signal is band-passed around a resonance and demodulated by its analytic signal, and
 * the spectrum of that envelope is read at orders x shaft speed.
 *
 * Band-pass and Hilbert transform are one step in the frequency domain: of the transform of the signal (no window,
 * zero-padded to N, the next power of two) only the bins in [low, high] Hz are kept, doubled. They are shifted down to
 * frequency 0 and transformed back with M points, M the least power of two that holds them twice: that yields exactly the
 * envelope |analytic signal| at every (N / M)-th sample, for a fraction of the work. In numpy:
 * `X = fft(x, N); X[(f < low) | (f > high)] = 0; envelope = abs(ifft(2 * X))[:samples][:: N // M]`.
 *
 * env_<order> = sum of the envelope's power spectrum (PowerSpectrum of envelope - mean) over the bins within 1.5 x
 * rate / samples of order x shaft speed and its harmonics, no bin twice, divided by the envelope's squared mean.
 * So it has no unit and does not change with load or gain: m² / 2 for a sinusoidal modulation of depth m, harmonics added.
 * NaN without shaft speed, where the frequency is less than two resolutions (longer windows separate it from 0 Hz), above
 * what the envelope holds, or without energy in the band. Harmonics above what the envelope holds are left out.
 */
export class EnvelopeFeatures {
  readonly names: readonly string[];
  readonly #orders: Float64Array;
  readonly #harmonics: number;
  readonly #resolutionHz: number;
  readonly #first: number;
  readonly #bins: number;
  readonly #fft: FFT;
  readonly #padded: Float64Array;
  readonly #transformed: Float64Array;
  readonly #inverse: FFT;
  readonly #baseband: Float64Array;
  readonly #analytic: Float64Array;
  readonly #gain: number;
  readonly #envelope: Float64Array;
  readonly #spectrum: PowerSpectrum;

  constructor(band: EnvelopeBand, samples: number, rateHz: number) {
    this.names = Object.keys(band.orders).map((order) => `env_${order}`);
    this.#orders = Float64Array.from(Object.values(band.orders));
    this.#harmonics = band.harmonics;
    this.#resolutionHz = rateHz / samples;
    const size = transformSize(samples);
    this.#fft = plan(size);
    this.#padded = new Float64Array(size);
    this.#transformed = new Float64Array(2 * size);
    const [low, high] = band.bandHz;
    this.#first = Math.max(1, Math.ceil((low * size) / rateHz - 1e-9));
    this.#bins = Math.max(0, Math.min(size / 2 - 1, Math.floor((high * size) / rateHz + 1e-9)) - this.#first + 1);
    const decimated = Math.min(size, transformSize(2 * this.#bins));
    this.#inverse = plan(decimated);
    this.#baseband = new Float64Array(2 * decimated);
    this.#analytic = new Float64Array(2 * decimated);
    this.#gain = (2 * decimated) / size;
    const step = size / decimated;
    this.#envelope = new Float64Array(Math.ceil(samples / step));
    this.#spectrum = new PowerSpectrum(this.#envelope.length, rateHz / step);
  }

  /**
   * Transforms x, the signal without its mean and with 0 for missing samples, zero-padded.
   * @returns size / 2 + 1 bins, real and imaginary parts in turn; valid until the next call
   */
  transform(x: Float64Array, samples: number): Float64Array {
    const padded = this.#padded;
    for (let i = 0; i < samples; i++) padded[i] = x[i]!;
    this.#fft.realTransform(this.#transformed, padded);
    return this.#transformed;
  }

  /** Writes the features of x, the signal without its mean and with 0 for missing samples, to out[at...]. */
  compute(x: Float64Array, samples: number, shaftHz: number, out: Float64Array, at: number): void {
    this.transform(x, samples);
    this.computeFromTransform(shaftHz, out, at);
  }

  /** As `compute`, of the signal that was transformed last. */
  computeFromTransform(shaftHz: number, out: Float64Array, at: number): void {
    const mean = this.#demodulate();
    const { power, binHz } = this.#spectrum;
    if (mean > 0) this.#spectrum.compute(this.#envelope, 1);
    for (let i = 0; i < this.#orders.length; i++) {
      const frequency = this.#orders[i]! * shaftHz;
      const measurable = mean > 0 && frequency >= 2 * this.#resolutionHz && frequency <= (power.length - 1) * binHz;
      out[at + i] = measurable ? this.#powerAt(frequency) / (mean * mean) : NaN;
    }
  }

  /** Leaves the envelope without its mean in #envelope and returns the mean. */
  #demodulate(): number {
    const from = 2 * this.#first;
    for (let i = 0; i < 2 * this.#bins; i++) this.#baseband[i] = this.#transformed[from + i]!;
    const analytic = this.#analytic;
    this.#inverse.inverseTransform(analytic, this.#baseband);
    const envelope = this.#envelope;
    const gain = this.#gain;
    let sum = 0;
    for (let i = 0; i < envelope.length; i++) {
      const re = analytic[2 * i]!;
      const im = analytic[2 * i + 1]!;
      const magnitude = gain * Math.sqrt(re * re + im * im);
      envelope[i] = magnitude;
      sum += magnitude;
    }
    const mean = sum / envelope.length;
    for (let i = 0; i < envelope.length; i++) envelope[i]! -= mean;
    return mean;
  }

  #powerAt(frequency: number): number {
    const { power, binHz } = this.#spectrum;
    const halfWidth = TOLERANCE * this.#resolutionHz;
    let next = 1;
    let sum = 0;
    for (let h = 1; h <= this.#harmonics; h++) {
      const last = Math.min(power.length - 1, Math.floor((h * frequency + halfWidth) / binHz));
      for (let k = Math.max(next, Math.ceil((h * frequency - halfWidth) / binHz)); k <= last; k++) sum += power[k]!;
      next = Math.max(next, last + 1);
    }
    return sum;
  }
}
