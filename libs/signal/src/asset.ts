/** Fewest samples from which a cross-correlation is taken. */
export const LEAST_CORRELATED = 8;
/** Largest lag of a cross-correlation, samples. */
const MOST_LAG = 16;
/** Fewest earlier windows from which a z-score is taken. */
const LEAST_REFERENCES = 8;

/**
 * Peak of the normalised cross-correlation of two signals without their means: of r(l) = Σ a[i] b[i + l] / √(Σa² Σb²), the value
 * that is largest in magnitude, with its sign, for |l| up to a quarter of the samples and 16 at most. -1 to 1; NaN where
 * a signal is constant. The smallest lag wins among equals.
 *
 * @param count samples of a and b; missing ones are 0
 */
export function peakCrossCorrelation(a: Float64Array, b: Float64Array, count: number): number {
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < count; i++) {
    aa += a[i]! * a[i]!;
    bb += b[i]! * b[i]!;
  }
  const norm = Math.sqrt(aa) * Math.sqrt(bb);
  if (!(norm > 0)) return NaN;
  const lags = Math.min(MOST_LAG, Math.floor(count / 4));
  let peak = product(a, 0, b, 0, count);
  for (let lag = 1; lag <= lags; lag++) {
    const ahead = product(a, 0, b, lag, count - lag);
    const behind = product(a, lag, b, 0, count - lag);
    if (Math.abs(ahead) > Math.abs(peak)) peak = ahead;
    if (Math.abs(behind) > Math.abs(peak)) peak = behind;
  }
  return peak / norm;
}

/** Σ a[aFrom + i] b[bFrom + i] in four running sums, so that additions overlap. */
function product(a: Float64Array, aFrom: number, b: Float64Array, bFrom: number, count: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    s0 += a[aFrom + i]! * b[bFrom + i]!;
    s1 += a[aFrom + i + 1]! * b[bFrom + i + 1]!;
    s2 += a[aFrom + i + 2]! * b[bFrom + i + 2]!;
    s3 += a[aFrom + i + 3]! * b[bFrom + i + 3]!;
  }
  for (; i < count; i++) s0 += a[aFrom + i]! * b[bFrom + i]!;
  return s0 + s1 + (s2 + s3);
}

/**
 * How many standard deviations (ddof 0) `value` lies from the mean of column `column` of the reference rows; NaN rows are
 * left out. NaN with fewer than 8 references, or where they are all equal to within rounding.
 */
export function zScore(value: number, references: readonly Float64Array[], column: number): number {
  let n = 0;
  let sum = 0;
  for (const row of references) {
    const x = row[column]!;
    if (x - x !== 0) continue;
    n++;
    sum += x;
  }
  if (n < LEAST_REFERENCES) return NaN;
  const mean = sum / n;
  let squares = 0;
  for (const row of references) {
    const x = row[column]!;
    if (x - x === 0) squares += (x - mean) ** 2;
  }
  const std = Math.sqrt(squares / n);
  return std > 1e-12 * Math.abs(mean) ? (value - mean) / std : NaN;
}
