/** Intervals of [1, 2) of whose middle the logarithm is tabulated. */
const INTERVALS = 256;
/** 1 / c and ln c for the middle c of each interval. */
const RECIPROCALS = Float64Array.from({ length: INTERVALS }, (_, i) => 1 / (1 + (i + 0.5) / INTERVALS));
const LOGARITHMS = RECIPROCALS.map((reciprocal) => -Math.log(reciprocal));
/** 2^-e by the biased exponent of a double; those of 0, of numbers too small to be normal, and of what is not finite are not used. */
const SCALES = Float64Array.from({ length: 2048 }, (_, exponent) => 2 ** (1023 - exponent));

/**
 * Σ p ln p over non-negative numbers, 0 ln 0 being 0, with an error below 1e-15 of p (1 + |ln p|) a term: logarithms of whole spectra
 * take longer by Math.log than the transform does. With p = 2^e m and m in an interval with the middle c,
 * ln p = e ln 2 + ln c + ln(1 + r) with r = m / c - 1, so small that five terms of its series are enough.
 */
export function sumOfLogarithms(values: Float64Array): number {
  const words = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);
  let sum = 0;
  for (let k = 0; k < values.length; k++) {
    const p = values[k]!;
    const word = words[2 * k + 1]!;
    const exponent = word >>> 20;
    if (exponent === 0 || exponent >= 2047) {
      if (p !== 0) sum += p * Math.log(p);
      continue;
    }
    const interval = (word >>> 12) & (INTERVALS - 1);
    const r = p * SCALES[exponent]! * RECIPROCALS[interval]! - 1;
    const series = r * (1 - r * (1 / 2 - r * (1 / 3 - r * (1 / 4 - r * (1 / 5)))));
    sum += p * ((exponent - 1023) * Math.LN2 + (LOGARITHMS[interval]! + series));
  }
  return sum;
}
