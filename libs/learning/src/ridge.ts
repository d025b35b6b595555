import { Matrix as Square, solve } from 'ml-matrix';
import type { Matrix } from './matrix.js';

/** A weighted sum of columns. */
export interface Linear {
  readonly weights: Float64Array;
  readonly bias: number;
}

export interface RidgeOptions {
  /** L2 penalty on the weights, in rows: what so many rows of noise of unit variance would do. */
  readonly penalty: number;
  /** How much each row counts; default: all the same. Scaled to a mean of 1. */
  readonly weights?: Float64Array;
}

/** Ridge regression (Hoerl and Kennard 1970) of columns without missing values; the bias is not penalised. */
export function fitRidge(inputs: Matrix, targets: ArrayLike<number>, { penalty, weights }: RidgeOptions): Linear {
  const { rows, columns } = inputs;
  const total = weights?.reduce((sum, each) => sum + each, 0) ?? rows;
  const share = (row: number): number => (weights === undefined ? 1 : (weights[row]! * rows) / total);
  const mean = new Float64Array(columns);
  let level = 0;
  for (let row = 0; row < rows; row++) {
    level += (share(row) * targets[row]!) / rows;
    for (let j = 0; j < columns; j++) mean[j]! += (share(row) * inputs.values[row * columns + j]!) / rows;
  }
  const gram = Square.eye(columns, columns, penalty);
  const moment = Square.zeros(columns, 1);
  for (let row = 0; row < rows; row++) {
    const centred = Float64Array.from(mean, (m, j) => inputs.values[row * columns + j]! - m);
    for (let j = 0; j < columns; j++) {
      const weighted = share(row) * centred[j]!;
      moment.set(j, 0, moment.get(j, 0) + weighted * (targets[row]! - level));
      for (let k = 0; k <= j; k++) gram.set(j, k, gram.get(j, k) + weighted * centred[k]!);
    }
  }
  for (let j = 0; j < columns; j++) for (let k = 0; k < j; k++) gram.set(k, j, gram.get(j, k));
  const solution = Float64Array.from(solve(gram, moment).to1DArray());
  return { weights: solution, bias: level - solution.reduce((sum, weight, j) => sum + weight * mean[j]!, 0) };
}

export function predictLinear({ weights, bias }: Linear, { values, rows, columns }: Matrix): Float64Array {
  return Float64Array.from({ length: rows }, (_, row) => {
    let sum = bias;
    for (let j = 0; j < columns; j++) sum += weights[j]! * values[row * columns + j]!;
    return sum;
  });
}
