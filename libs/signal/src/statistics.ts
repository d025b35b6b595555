/** Features that every signal has, in the order in which `statistics` writes them. */
export const STATISTICS = ['mean', 'std', 'rms', 'peak', 'peak_to_peak', 'crest', 'skewness', 'kurtosis', 'slope', 'missing_ratio'] as const;

/** Spread below this share of the mean is rounding, not signal: scipy.stats' limit for higher moments. */
const RESOLUTION = 1e-15;

/**
 * Writes the STATISTICS of `count` samples to out[at...]. Samples that are not finite (NaN: missing) are left out.
 *
 * - mean, rms (root of the mean square), peak (largest |x|), peak_to_peak: in the signal's unit
 * - std: of the population (ddof 0, numpy's default)
 * - crest: peak / rms; NaN where rms is 0
 * - skewness, kurtosis: m3 / m2^1.5 and m4 / m2² - 3 (Fisher), biased, as scipy.stats.skew and kurtosis by default;
 *   NaN where all samples are equal to within rounding
 * - slope: least squares, units per second; NaN below 2 samples or where all were taken at the same time
 * - missing_ratio: share of `expected` samples that are not there, 0 to 1
 *
 * With no finite sample everything is NaN but missing_ratio. Two passes: the first finds the mean, the second the central
 * moments, corrected for the rounding of the mean (Chan, Golub, LeVeque 1983), so that a large offset costs no accuracy.
 *
 * @param offsetsUs when each sample was taken, microseconds since the start of the window
 */
export function statistics(samples: Float64Array, count: number, offsetsUs: Float64Array, expected: number, out: Float64Array, at: number): void {
  let n = 0;
  let sum = 0;
  let timeSum = 0;
  let min = Infinity;
  let max = -Infinity;
  for (let i = 0; i < count; i++) {
    const x = samples[i]!;
    if (x - x !== 0) continue;
    n++;
    sum += x;
    timeSum += offsetsUs[i]!;
    if (x < min) min = x;
    if (x > max) max = x;
  }
  if (n === 0) {
    out.fill(NaN, at, at + STATISTICS.length - 1);
    out[at + STATISTICS.length - 1] = 1;
    return;
  }
  const guess = sum / n;
  const meanTime = timeSum / n;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let s4 = 0;
  let timeProduct = 0;
  let timeSquares = 0;
  for (let i = 0; i < count; i++) {
    const x = samples[i]!;
    if (x - x !== 0) continue;
    const d = x - guess;
    const t = offsetsUs[i]! - meanTime;
    const dd = d * d;
    s1 += d;
    s2 += dd;
    s3 += dd * d;
    s4 += dd * dd;
    timeProduct += t * d;
    timeSquares += t * t;
  }
  const shift = s1 / n;
  const mean = guess + shift;
  const raw2 = s2 / n;
  const raw3 = s3 / n;
  const m2 = Math.max(0, raw2 - shift * shift);
  const m3 = raw3 - 3 * shift * raw2 + 2 * shift * shift * shift;
  const m4 = s4 / n - 4 * shift * raw3 + 6 * shift * shift * raw2 - 3 * shift * shift * shift * shift;
  const rms = Math.sqrt(mean * mean + m2);
  const peak = Math.max(-min, max);
  const constant = min === max || m2 <= (RESOLUTION * mean) ** 2;
  out[at] = mean;
  out[at + 1] = Math.sqrt(m2);
  out[at + 2] = rms;
  out[at + 3] = peak;
  out[at + 4] = max - min;
  out[at + 5] = rms > 0 ? peak / rms : NaN;
  out[at + 6] = constant ? NaN : m3 / (m2 * Math.sqrt(m2));
  out[at + 7] = constant ? NaN : m4 / (m2 * m2) - 3;
  out[at + 8] = timeSquares > 0 ? (timeProduct / timeSquares) * 1e6 : NaN;
  out[at + 9] = Math.max(0, 1 - n / expected);
}
