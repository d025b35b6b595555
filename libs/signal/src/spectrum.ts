import { sumOfLogarithms } from './entropy.js';
import type { SpectrumBands } from './kind.js';
import { PowerSpectrum } from './power-spectrum.js';

/**
 * Features of the power spectrum of one signal (see PowerSpectrum; the mean is taken off beforehand):
 *
 * - band_i: mean square in [edge i, edge i + 1), squared units; the last band includes its upper edge
 * - peak_hz_i: frequencies of the highest local maxima, highest first, each refined by a parabola through the logarithms
 *   of the maximum and its neighbours; NaN where there are fewer
 * - centroid: power-weighted mean frequency, Hz
 * - entropy: Shannon entropy of the power as a distribution over bins, divided by the logarithm of their number: 0 to 1
 *
 * Without power, peaks, centroid and entropy are NaN.
 */
export class SpectrumFeatures {
  readonly names: readonly string[];
  readonly #spectrum: PowerSpectrum;
  /** Bins [edge i, edge i + 1) make band i. */
  readonly #edges: Int32Array;
  readonly #peaks: Int32Array;

  constructor(bands: SpectrumBands, samples: number, rateHz: number) {
    const spectrum = new PowerSpectrum(samples, rateHz);
    this.#spectrum = spectrum;
    const last = bands.bandsHz.length - 1;
    // A billionth of a bin of tolerance: an edge that is a bin's frequency but for rounding is that bin's frequency.
    this.#edges = Int32Array.from(bands.bandsHz, (hz, i) => {
      const bin = hz / spectrum.binHz;
      return Math.min(spectrum.power.length, i === last ? Math.floor(bin + 1e-9) + 1 : Math.ceil(bin - 1e-9));
    });
    this.#peaks = new Int32Array(bands.peaks);
    this.names = [
      ...Array.from({ length: last }, (_, i) => `band_${i}`),
      ...Array.from({ length: bands.peaks }, (_, i) => `peak_hz_${i}`),
      'centroid',
      'entropy',
    ];
  }

  /**
   * Writes the features of x, the signal without its mean and with 0 for missing samples, to out[at...].
   * @param transformed the transform of x, where it is there already (see EnvelopeFeatures.transform)
   */
  compute(x: Float64Array, scale: number, out: Float64Array, at: number, transformed?: Float64Array): void {
    const spectrum = this.#spectrum;
    if (transformed !== undefined && spectrum.takesTransform) spectrum.computeFromTransform(transformed, scale);
    else spectrum.compute(x, scale);
    const { power, binHz } = spectrum;
    const edges = this.#edges;
    for (let band = 0; band + 1 < edges.length; band++) {
      let sum = 0;
      for (let k = edges[band]!; k < edges[band + 1]!; k++) sum += power[k]!;
      out[at++] = sum;
    }
    const found = this.#findPeaks();
    for (let i = 0; i < this.#peaks.length; i++) out[at++] = i < found ? refined(power, this.#peaks[i]!) * binHz : NaN;
    let total = 0;
    let moment = 0;
    for (let k = 0; k < power.length; k++) {
      total += power[k]!;
      moment += k * power[k]!;
    }
    const logarithms = sumOfLogarithms(power);
    // With q = p / total: -Σ q ln q = ln total - (Σ p ln p) / total.
    out[at++] = total > 0 ? (moment / total) * binHz : NaN;
    out[at] = total > 0 ? Math.max(0, Math.log(total) - logarithms / total) / Math.log(power.length) : NaN;
  }

  /** Bins of the highest local maxima into #peaks, highest first; returns how many there are. */
  #findPeaks(): number {
    const power = this.#spectrum.power;
    const peaks = this.#peaks;
    let found = 0;
    for (let k = 1; k + 1 < power.length; k++) {
      const p = power[k]!;
      if (p <= power[k - 1]! || p < power[k + 1]!) continue;
      let i = found < peaks.length ? found++ : peaks.length;
      for (; i > 0 && p > power[peaks[i - 1]!]!; i--) if (i < peaks.length) peaks[i] = peaks[i - 1]!;
      if (i < peaks.length) peaks[i] = k;
    }
    return found;
  }
}

/** Place of the maximum near bin k, in bins. */
function refined(power: Float64Array, k: number): number {
  const below = power[k - 1]!;
  const above = power[k + 1]!;
  if (below <= 0 || above <= 0) return k;
  const a = Math.log(below);
  const b = Math.log(power[k]!);
  const c = Math.log(above);
  const curvature = a - 2 * b + c;
  return curvature < 0 ? k + (0.5 * (a - c)) / curvature : k;
}
