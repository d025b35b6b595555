import { CholeskyDecomposition, Matrix as Square } from 'ml-matrix';
import type { Matrix } from './matrix.js';

export interface AutoregressionOptions {
  /** How many of the rows before it a row is foretold from. */
  readonly lags: number;
  /** L2 penalty on the weights: what so many rows of noise of unit variance would do. Columns should have a like scale. */
  readonly penalty: number;
}

/** What the next row of a process is, in the mean, given the rows before it: their weighted sum, without a constant. */
export interface Autoregression {
  readonly lags: number;
  readonly columns: number;
  /** [lags x columns, columns], the newest row first. */
  readonly weights: Float64Array;
}

/**
 * Vector autoregression (Lütkepohl 2005, New Introduction to Multiple Time Series Analysis, 3.2) by ridge regression, of columns
 * of mean zero without missing values.
 * @param stretches rows in time order; the end of one is not followed by the beginning of the next. The first `lags` rows of each
 * are only looked back on
 */
export function fitAutoregression(stretches: readonly Matrix[], { lags, penalty }: AutoregressionOptions): Autoregression {
  const { columns } = stretches[0]!;
  const width = lags * columns;
  const gram = new Float64Array(width * width);
  const moments = new Float64Array(width * columns);
  for (const stretch of stretches) {
    const past = new Float64Array(width);
    for (let row = lags; row < stretch.rows; row++) {
      pastOf(stretch, row, past);
      for (let j = 0; j < width; j++) {
        const weight = past[j]!;
        for (let k = 0; k <= j; k++) gram[j * width + k]! += weight * past[k]!;
        for (let k = 0; k < columns; k++) moments[j * columns + k]! += weight * stretch.values[row * columns + k]!;
      }
    }
  }
  const normal = Square.eye(width, width, penalty);
  for (let j = 0; j < width; j++) {
    for (let k = 0; k <= j; k++) {
      normal.set(j, k, normal.get(j, k) + gram[j * width + k]!);
      normal.set(k, j, normal.get(j, k));
    }
  }
  const solution = new CholeskyDecomposition(normal).solve(Square.from1DArray(width, columns, moments));
  return { lags, columns, weights: Float64Array.from(solution.to1DArray()) };
}

/** Foretells that a process stays where it was on average over the last rows, wherever that was. */
export function meanOfPast(lags: number, columns: number): Autoregression {
  const weights = new Float64Array(lags * columns * columns);
  for (let lag = 0; lag < lags; lag++) for (let j = 0; j < columns; j++) weights[(lag * columns + j) * columns + j] = 1 / lags;
  return { lags, columns, weights };
}

/** What of each row the rows before it don't foretell. Before the first row of a run all rows are taken to have been as it is. */
export function residualsOf({ lags, columns, weights }: Autoregression, run: Matrix): Matrix {
  const values = Float64Array.from(run.values);
  const past = new Float64Array(lags * columns);
  for (let row = 0; row < run.rows; row++) {
    pastOf(run, row, past);
    for (let j = 0; j < past.length; j++) {
      const value = past[j]!;
      for (let k = 0; k < columns; k++) values[row * columns + k]! -= value * weights[j * columns + k]!;
    }
  }
  return { values, rows: run.rows, columns };
}

function pastOf({ values, columns }: Matrix, row: number, past: Float64Array): void {
  for (let lag = 1; (lag - 1) * columns < past.length; lag++) {
    const from = Math.max(0, row - lag) * columns;
    past.set(values.subarray(from, from + columns), (lag - 1) * columns);
  }
}
