import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { BaselineError, type MonitorBaseline } from './monitor-baseline.js';
import { Monitor } from './monitor.js';
import { scaledChiSquareLimit, speLimit, t2Limit } from './multivariate-limits.js';

export interface MonitorFit {
  readonly kind: string;
  /** Names of the values of each vector. */
  readonly features: readonly string[];
  /** False alarm probability of one window, for example 0.001. */
  readonly alpha: number;
  /** Components are taken until they explain this share of the variance, 0 to 1. */
  readonly varianceExplained: number;
  /** How many consecutive vectors share data: window length over hop, rounded up; 1 where windows do not overlap. */
  readonly overlap: number;
  readonly dataSha256: string;
}

/** Contiguous parts of the data that are held out in turn to see how the statistics behave on data not fitted. */
const BLOCKS = 10;

type PcaModel = Pick<MonitorBaseline, 'mean' | 'std' | 'loadings' | 'eigenvalues'>;

/**
 * Fits the monitor of an asset kind: PCA of the correlation matrix of feature vectors of normal operation, in time order.
 * Features that do not vary are left out; vectors with a missing (NaN) value in another one are not used.
 *
 * Each limit is the larger of two: what theory gives for independent normal observations (t2Limit, speLimit), and the scaled
 * chi-square quantile with the mean and variance that the statistic has on held-out blocks of the data (moments as Nomikos
 * and MacGregor 1995, Technometrics 37(1), 41-59). Windows that overlap and processes that wander make far fewer independent
 * observations than vectors, so that a fitted model flatters its own data; the held-out blocks show by how much. Vectors that
 * share data with a held-out block are kept out of its fit.
 *
 * @param vectors feature vectors in time order, each with one value per name of `fit.features`
 * @throws BaselineError when the data does not suffice
 */
export function fitMonitorBaseline(vectors: readonly Float64Array[], fit: MonitorFit): MonitorBaseline {
  const varying = fit.features.map((_, j) => j).filter((j) => varies(vectors, j));
  const rows = vectors.map((vector) => Float64Array.from(varying, (j) => vector[j]!)).filter((row) => row.every(Number.isFinite));
  const p = varying.length;
  if (p < 2) throw new BaselineError(`kind ${fit.kind}: ${p} of ${fit.features.length} features vary in the data: give data of the running process, or other features`);
  const needed = Math.max(2 * p, BLOCKS * (2 * fit.overlap + 1));
  if (rows.length < needed) {
    throw new BaselineError(`kind ${fit.kind}: ${rows.length} complete windows of normal operation for ${p} features: give data for at least ${needed}, or fewer features`);
  }

  const { correlation, mean, std } = standardise(rows);
  const { values, vectors: directions } = eigen(correlation);
  const components = componentsFor(values, fit.varianceExplained);
  const model: PcaModel = { mean, std, loadings: directions.slice(0, components), eigenvalues: values.slice(0, components) };
  const heldOut = heldOutStatistics(rows, components, fit.overlap);
  const limits = {
    t2Limit: Math.max(t2Limit(components, rows.length, fit.alpha), scaledChiSquareLimit(...moments(heldOut.t2), fit.alpha)),
    speLimit: Math.max(speLimit(values.slice(components), fit.alpha), scaledChiSquareLimit(...moments(heldOut.spe), fit.alpha)),
  };
  if (!(limits.t2Limit > 0 && limits.t2Limit < Infinity && limits.speLimit > 0)) {
    throw new BaselineError(`kind ${fit.kind}: some of the ${p} features follow exactly from others, which leaves nothing to set limits by: choose fewer features`);
  }
  return {
    format: 1,
    kind: fit.kind,
    features: varying.map((j) => fit.features[j]!),
    ...model,
    ...limits,
    alpha: fit.alpha,
    count: rows.length,
    dataSha256: fit.dataSha256,
  };
}

/** Whether feature j takes values that differ by more than rounding. */
function varies(vectors: readonly Float64Array[], j: number): boolean {
  let lowest = Infinity;
  let highest = -Infinity;
  for (const vector of vectors) {
    const value = vector[j]!;
    if (value < lowest) lowest = value;
    if (value > highest) highest = value;
  }
  return highest - lowest > 1e-9 * Math.max(Math.abs(lowest), Math.abs(highest));
}

function standardise(rows: readonly Float64Array[]): { correlation: Matrix; mean: number[]; std: number[] } {
  const n = rows.length;
  const p = rows[0]!.length;
  const mean = Array.from({ length: p }, (_, j) => rows.reduce((sum, row) => sum + row[j]!, 0) / n);
  const std = mean.map((m, j) => Math.sqrt(rows.reduce((sum, row) => sum + (row[j]! - m) ** 2, 0) / (n - 1)));
  // Held-out fits may meet a feature that stands still in what is left: it then carries no weight.
  const z = new Matrix(rows.map((row) => Array.from(row, (value, j) => (std[j]! > 0 ? (value - mean[j]!) / std[j]! : 0))));
  return { correlation: z.transpose().mmul(z).div(n - 1), mean, std: std.map((s) => (s > 0 ? s : 1)) };
}

/** Eigenvalues, largest first, and their vectors; the largest coefficient of each vector is positive, so that a fit repeats. */
function eigen(correlation: Matrix): { values: number[]; vectors: number[][] } {
  const decomposition = new EigenvalueDecomposition(correlation, { assumeSymmetric: true });
  const columns = decomposition.eigenvectorMatrix.transpose().to2DArray();
  const order = decomposition.realEigenvalues.map((_, i) => i).sort((a, b) => decomposition.realEigenvalues[b]! - decomposition.realEigenvalues[a]!);
  return {
    values: order.map((i) => Math.max(0, decomposition.realEigenvalues[i]!)),
    vectors: order.map((i) => {
      const vector = columns[i]!;
      const largest = vector.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
      return largest < 0 ? vector.map((value) => -value) : vector;
    }),
  };
}

/** At least one component, at least one direction left for SPE, and none that is rounding only. */
function componentsFor(eigenvalues: readonly number[], share: number): number {
  const total = eigenvalues.reduce((sum, value) => sum + value, 0);
  let explained = 0;
  let components = 0;
  while (components < eigenvalues.length - 1 && (components === 0 || (explained < share * total && eigenvalues[components]! > 1e-10))) explained += eigenvalues[components++]!;
  return components;
}

function heldOutStatistics(rows: readonly Float64Array[], components: number, overlap: number): { t2: number[]; spe: number[] } {
  const t2: number[] = [];
  const spe: number[] = [];
  for (let block = 0; block < BLOCKS; block++) {
    const from = Math.floor((block * rows.length) / BLOCKS);
    const to = Math.floor(((block + 1) * rows.length) / BLOCKS);
    const kept = rows.filter((_, i) => i <= from - overlap || i >= to + overlap - 1);
    const { correlation, mean, std } = standardise(kept);
    const { values, vectors } = eigen(correlation);
    const monitor = new Monitor({ mean, std, loadings: vectors.slice(0, components), eigenvalues: values.slice(0, components) });
    for (const row of rows.slice(from, to)) {
      const score = monitor.evaluate(row);
      if (score === undefined) continue;
      t2.push(score.t2);
      spe.push(score.spe);
    }
  }
  return { t2, spe };
}

function moments(values: readonly number[]): [mean: number, variance: number] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return [mean, values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)];
}
