/** How a quantity was distributed in training: counts in bins of about the same share, and an empty one below and above all of them. */
export interface Profile {
  /** Ascending; a bin holds what is above its lower edge, and its upper edge. The first is just below the least value, the last is the greatest. */
  readonly edges: readonly number[];
  /** Values in each of the edges.length + 1 bins. */
  readonly counts: readonly number[];
  /** Rows without a value. */
  readonly missing: number;
  /** Stability index from which a distribution has moved far: above what any block of training rows shows by itself, and at least 0.25. */
  readonly limit: number;
}

export interface ProfileOptions {
  /** Most bins; default 20. */
  readonly bins?: number;
  /** Least width of a bin; default 0. Differences below it do not matter. */
  readonly resolution?: number;
  /**
   * Of each row, the number of its block: rows that follow one another on one machine. A machine in one state shows a part of what training
   * saw of many, and has not drifted by that. Default: none.
   */
  readonly blocks?: ArrayLike<number>;
}

/** What tells how far a distribution has moved. */
export interface Drift {
  /** Population stability index, with missing values as a bin of their own. */
  readonly psi: number;
  /** Kolmogorov-Smirnov statistic at the edges of the bins, so at most that of the values themselves. */
  readonly ks: number;
  /** Probability of such a statistic, or a larger one, where nothing has moved and rows do not depend on each other. */
  readonly pValue: number;
}

const LEAST_SHARE = 1e-3;
/** Rows that a block needs to count. */
const LEAST_BLOCK = 20;
/** A shift at which models of credit risk are taken out of use (N. Siddiqi, Credit Risk Scorecards, 2006). */
const MUCH = 0.25;
/** Few rows show large shifts by chance. */
const UNLIKELY = 0.001;

/** The profile of a quantity; NaN is none. */
export function profileOf(values: ArrayLike<number>, { bins = 20, resolution = 0, blocks }: ProfileOptions = {}): Profile {
  const sorted = Float64Array.from(Array.from(values).filter((value) => !Number.isNaN(value))).sort();
  const edges: number[] = [];
  if (sorted.length > 0) {
    const [least, greatest] = [sorted[0]!, sorted.at(-1)!];
    edges.push(least - Math.max(Math.abs(least) * 2 ** -40, 2 ** -1000));
    for (let k = 1; k < bins; k++) {
      const edge = quantile(sorted, k / bins);
      if (edge > edges.at(-1)! + resolution) edges.push(edge);
    }
    if (greatest > edges.at(-1)!) edges.push(greatest);
  }
  const profile = { edges, counts: countsOf(edges, sorted).slice(0, -1), missing: values.length - sorted.length };
  return { ...profile, limit: blocks === undefined ? MUCH : Math.max(MUCH, mostOfBlocks(profile, values, blocks)) };
}

/** Counts by bin, and last of values that are none. */
function countsOf(edges: readonly number[], values: ArrayLike<number>): number[] {
  const counts = new Array<number>(edges.length + 2).fill(0);
  for (let i = 0; i < values.length; i++) counts[binOf(edges, values[i]!)]!++;
  return counts;
}

function mostOfBlocks(profile: Omit<Profile, 'limit'>, values: ArrayLike<number>, blocks: ArrayLike<number>): number {
  const byBlock = Map.groupBy(Array.from(values, (value, row) => ({ value, block: blocks[row]! })), ({ block }) => block);
  let most = 0;
  for (const rows of byBlock.values()) {
    if (rows.length >= LEAST_BLOCK) most = Math.max(most, driftOf(profile, countsOf(profile.edges, rows.map(({ value }) => value))).psi);
  }
  return most;
}

/** Index of the bin of a value; NaN has the one after the last. */
export function binOf(edges: readonly number[], value: number): number {
  if (Number.isNaN(value)) return edges.length + 1;
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (edges[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * How far what was counted has moved from a profile.
 * @param counts by the bins of the profile, and last of those without a value
 */
export function driftOf({ counts: trained, missing }: Pick<Profile, 'counts' | 'missing'>, counts: ArrayLike<number>): Drift {
  const actual = Array.from(counts);
  const values = actual.slice(0, -1);
  // Where neither has a gap there is no bin of gaps.
  const gaps = missing > 0 || actual.at(-1)! > 0;
  const psi = gaps ? stabilityIndex([...trained, missing], actual) : stabilityIndex(trained, values);
  const ks = distance(trained, values);
  const [n, m] = [total(trained), total(values)];
  return { psi, ks, pValue: n === 0 || m === 0 ? 1 : kolmogorov(ks * Math.sqrt((n * m) / (n + m))) };
}

/** Whether the values have moved far, and not by chance. Gaps alone are no drift: silent signals have findings of their own. */
export const hasDrifted = ({ limit }: Pick<Profile, 'limit'>, { psi, pValue }: Drift): boolean => psi > limit && pValue < UNLIKELY;

/**
 * Population stability index of two counts over the same bins: the sum of (a - e) ln(a / e), the symmetric Kullback-Leibler divergence.
 * Each bin has a thousandth more than its share, so that an empty one is not infinitely far, however many rows there are.
 */
export function stabilityIndex(expected: readonly number[], actual: readonly number[]): number {
  const bins = expected.length;
  const [n, m] = [total(expected), total(actual)];
  let sum = 0;
  for (let i = 0; i < bins; i++) {
    const e = shareOf(expected[i]!, n, bins);
    const a = shareOf(actual[i]!, m, bins);
    sum += (a - e) * Math.log(a / e);
  }
  return sum;
}

const shareOf = (count: number, all: number, bins: number): number => ((all === 0 ? 1 / bins : count / all) + LEAST_SHARE) / (1 + LEAST_SHARE * bins);

/** Largest difference of the two cumulative distributions at the edges. */
function distance(expected: readonly number[], actual: readonly number[]): number {
  const [n, m] = [total(expected), total(actual)];
  if (n === 0 || m === 0) return 0;
  let [e, a, largest] = [0, 0, 0];
  for (let i = 0; i < expected.length; i++) {
    e += expected[i]!;
    a += actual[i]!;
    largest = Math.max(largest, Math.abs(e / n - a / m));
  }
  return largest;
}

/** P(K > x) of Kolmogorov's distribution: the series that converges quickly on either side (Marsaglia, Tsang and Wang 2003, eq. 1). */
export function kolmogorov(x: number): number {
  if (x <= 0) return 1;
  let sum = 0;
  if (x < 1) {
    for (let k = 1; k <= 20; k++) sum += Math.exp((-((2 * k - 1) ** 2) * Math.PI ** 2) / (8 * x * x));
    return 1 - (Math.sqrt(2 * Math.PI) / x) * sum;
  }
  for (let k = 1; k <= 20; k++) sum += (k % 2 === 1 ? 1 : -1) * Math.exp(-2 * k * k * x * x);
  return 2 * sum;
}

/** Linear between order statistics (Hyndman and Fan 1996, type 7). */
function quantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  const lower = sorted[below]!;
  return lower + (at - below) * ((sorted[below + 1] ?? lower) - lower);
}

const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);
