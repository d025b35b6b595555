import chiSquareQuantile from '@stdlib/stats-base-dists-chisquare-quantile';
import normalQuantile from '@stdlib/stats-base-dists-normal-quantile';

/** Specification limits; one may be absent. */
export interface Specification {
  readonly lower?: number;
  readonly upper?: number;
  readonly target?: number;
}

/** A process as its values show it, all in the unit of the values. */
export interface ProcessSpread {
  readonly mean: number;
  /** Standard deviation within subgroups, from a control chart. */
  readonly sigmaWithin: number;
  /** Sample standard deviation of all values. */
  readonly sigmaOverall: number;
}

/** Capability and performance indices. NaN where the specification does not define them. */
export interface Capability {
  /** (upper - lower) / 6 sigma within; NaN for a one-sided specification. */
  readonly cp: number;
  /** Distance of the mean to the nearer limit over 3 sigma within. */
  readonly cpk: number;
  /** As cp and cpk, with the overall standard deviation. */
  readonly pp: number;
  readonly ppk: number;
  /** Cp with the deviation from the target counted as spread (Chan, Cheng and Spiring 1988); NaN without a target. */
  readonly cpm: number;
}

/** Indices after NIST/SEMATECH e-Handbook 6.1.6 and ISO 22514-2. */
export function capability(process: ProcessSpread, spec: Specification): Capability {
  const { mean, sigmaWithin, sigmaOverall } = process;
  const lower = spec.lower ?? NaN;
  const upper = spec.upper ?? NaN;
  const nearest = Math.min(...[upper - mean, mean - lower].filter((distance) => !Number.isNaN(distance)));
  const distance = Number.isFinite(nearest) ? nearest : NaN;
  return {
    cp: (upper - lower) / (6 * sigmaWithin),
    cpk: distance / (3 * sigmaWithin),
    pp: (upper - lower) / (6 * sigmaOverall),
    ppk: distance / (3 * sigmaOverall),
    cpm: (upper - lower) / (6 * Math.hypot(sigmaWithin, mean - (spec.target ?? NaN))),
  };
}

/**
 * Confidence interval of Cp from n values: Cp sqrt(χ²(α/2; n-1) / (n-1)) and so on (e-Handbook 6.1.6).
 * @param confidence for example 0.95
 */
export function cpInterval(cp: number, n: number, confidence: number): [number, number] {
  const tail = (1 - confidence) / 2;
  return [cp * Math.sqrt(chiSquareQuantile(tail, n - 1) / (n - 1)), cp * Math.sqrt(chiSquareQuantile(1 - tail, n - 1) / (n - 1))];
}

/**
 * Approximate confidence interval of Cpk from n values: Cpk (1 ± z sqrt(1 / (9 n Cpk²) + 1 / (2 (n - 1))))
 * (Bissell 1990, Applied Statistics 39(3), 331-340).
 * @param confidence for example 0.95
 */
export function cpkInterval(cpk: number, n: number, confidence: number): [number, number] {
  const half = normalQuantile(1 - (1 - confidence) / 2, 0, 1) * Math.sqrt(1 / (9 * n) + cpk ** 2 / (2 * (n - 1)));
  return [cpk - half, cpk + half];
}
