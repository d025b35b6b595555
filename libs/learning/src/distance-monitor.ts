import { inverse, Matrix as Square } from 'ml-matrix';
import { rowsBetween, type Matrix } from './matrix.js';
import { scaleOf } from './moments.js';

export interface DistanceMonitorOptions {
  /** Consecutive rows judged together, at least 1. */
  readonly lags: number;
  /** Weight of the identity in the correlation matrix, 0 to 1: steadies directions that normal data hardly vary in. */
  readonly shrinkage: number;
  /** Weight of the newest row in the running mean of the distance, 0 to 1. */
  readonly memory: number;
  /** Share of rows of normal operation beyond the limit. */
  readonly alpha: number;
}

/** Normal operation of a process as one cloud of lagged rows. */
export interface DistanceMonitor {
  readonly options: DistanceMonitorOptions;
  readonly mean: Float64Array;
  readonly std: Float64Array;
  /** Inverse of the shrunken correlation matrix, [lagged columns, lagged columns]. */
  readonly precision: Float64Array;
  readonly limit: number;
}

/** Contiguous parts of the data that are held out in turn to set the limit. */
const BLOCKS = 5;
/** Rows at the beginning of a held-out part that do not count: the running mean starts there. */
const WARM_UP = 10;

/**
 * Unsupervised detection: Mahalanobis distance of lagged rows from normal operation (Ku, Storer and Georgakis 1995, dynamic
 * PCA, with all directions kept and shrunken instead), averaged exponentially over time. The limit is the quantile of that
 * on parts of the normal data that were held out of the fit.
 * @param normal rows of normal operation in time order, without missing values
 * @throws RangeError for too few rows
 */
export function fitDistanceMonitor(normal: Matrix, options: DistanceMonitorOptions): DistanceMonitor {
  if (normal.rows < BLOCKS * (WARM_UP + options.lags + 5)) throw new RangeError(`${normal.rows} rows of normal operation: at least ${BLOCKS * (WARM_UP + options.lags + 5)} are needed`);
  const held: number[] = [];
  for (let block = 0; block < BLOCKS; block++) {
    const from = Math.floor((block * normal.rows) / BLOCKS);
    const to = Math.floor(((block + 1) * normal.rows) / BLOCKS);
    const parts = [lagged(rowsBetween(normal, 0, from - options.lags), options.lags), lagged(rowsBetween(normal, to + options.lags, normal.rows), options.lags)];
    const model = cloudOf(parts, options.shrinkage);
    held.push(...smoothed({ ...model, options }, rowsBetween(normal, from, to)).subarray(WARM_UP));
  }
  held.sort((a, b) => a - b);
  const limit = held[Math.min(held.length - 1, Math.ceil((1 - options.alpha) * held.length) - 1)]!;
  return { options, ...cloudOf([lagged(normal, options.lags)], options.shrinkage), limit };
}

/** Distance of each row of a run over the limit: above 1 is a fault. The first rows of a run, too few for all lags, get the first distance there is. */
export function monitorDistances(monitor: DistanceMonitor, run: Matrix): Float64Array {
  return smoothed(monitor, run).map((distance) => distance / monitor.limit);
}

type Cloud = Pick<DistanceMonitor, 'mean' | 'std' | 'precision'>;

function smoothed({ mean, std, precision, options: { lags, memory } }: Omit<DistanceMonitor, 'limit'>, run: Matrix): Float64Array {
  const vectors = lagged(run, lags);
  const d = vectors.columns;
  const distances = new Float64Array(run.rows);
  const z = new Float64Array(d);
  for (let row = 0; row < vectors.rows; row++) {
    for (let j = 0; j < d; j++) z[j] = (vectors.values[row * d + j]! - mean[j]!) / std[j]!;
    let distance = 0;
    for (let j = 0; j < d; j++) {
      let product = 0;
      for (let k = 0; k < d; k++) product += precision[j * d + k]! * z[k]!;
      distance += z[j]! * product;
    }
    distances[row + lags - 1] = distance;
  }
  distances.fill(distances[lags - 1]!, 0, lags - 1);
  // The running mean starts at the mean distance of a row of the fitted data, which is about the number of columns.
  let running = d;
  return distances.map((distance) => (running += memory * (distance - running)));
}

function cloudOf(parts: readonly Matrix[], shrinkage: number): Cloud {
  const d = parts[0]!.columns;
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const { mean, std } = scaleOf(parts);
  const correlation = Square.eye(d, d, shrinkage);
  const sums = new Float64Array(d * d);
  for (const { values } of parts) {
    for (let at = 0; at < values.length; at += d) {
      for (let j = 0; j < d; j++) {
        const zj = (values[at + j]! - mean[j]!) / std[j]!;
        for (let k = 0; k <= j; k++) sums[j * d + k]! += (zj * (values[at + k]! - mean[k]!)) / std[k]!;
      }
    }
  }
  for (let j = 0; j < d; j++) {
    for (let k = 0; k <= j; k++) {
      const share = ((1 - shrinkage) * sums[j * d + k]!) / rows;
      correlation.set(j, k, correlation.get(j, k) + share);
      if (k < j) correlation.set(k, j, correlation.get(j, k));
    }
  }
  return { mean, std, precision: Float64Array.from(inverse(correlation).to1DArray()) };
}

/** Each row with the rows before it: [rows - lags + 1, lags * columns], newest first. */
function lagged(run: Matrix, lags: number): Matrix {
  const rows = Math.max(0, run.rows - lags + 1);
  const columns = run.columns * lags;
  const values = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let lag = 0; lag < lags; lag++) {
      const from = (row + lags - 1 - lag) * run.columns;
      values.set(run.values.subarray(from, from + run.columns), row * columns + lag * run.columns);
    }
  }
  return { values, rows, columns };
}
