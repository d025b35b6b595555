import { CholeskyDecomposition, Matrix as Square } from 'ml-matrix';
import type { Matrix } from './matrix.js';

/** Weighted sums of columns, one an output. */
export interface LinearOutputs {
  readonly outputs: number;
  /** [outputs, columns], of columns as they are, not scaled. */
  readonly weights: Float64Array;
  readonly bias: Float64Array;
}

/** Columns that vary less than this count as constant. */
const LEAST_SPREAD = 1e-6;

/**
 * Ridge regressions of several outputs on standardised columns, for one penalty after the other; what is common to them is computed
 * once (Hoerl and Kennard 1970).
 * @param targets [rows, outputs]
 * @param penalties each on the sum of squared weights of standardised columns
 * @throws RangeError where a penalty is too small for columns that depend on each other
 */
export function* fitRidgePath(inputs: Matrix, targets: Float64Array, penalties: readonly number[]): Generator<LinearOutputs> {
  const { rows, columns, values } = inputs;
  const outputs = targets.length / rows;
  const mean = new Float64Array(columns);
  const level = new Float64Array(outputs);
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < columns; j++) mean[j]! += values[row * columns + j]! / rows;
    for (let j = 0; j < outputs; j++) level[j]! += targets[row * outputs + j]! / rows;
  }
  const spread = new Float64Array(columns);
  for (let row = 0; row < rows; row++) for (let j = 0; j < columns; j++) spread[j]! += (values[row * columns + j]! - mean[j]!) ** 2 / rows;
  const scale = spread.map((variance) => (Math.sqrt(variance) < LEAST_SPREAD ? 0 : 1 / Math.sqrt(variance)));
  const scaled = new Float64Array(values.length);
  for (let i = 0; i < scaled.length; i++) scaled[i] = (values[i]! - mean[i % columns]!) * scale[i % columns]!;
  const centred = new Square(rows, outputs);
  for (let row = 0; row < rows; row++) for (let i = 0; i < outputs; i++) centred.set(row, i, targets[row * outputs + i]! - level[i]!);
  // Of fewer rows than columns the weights are sums of rows: then as many equations as rows are solved (Saunders et al. 1998).
  const byRows = rows < columns;
  const side = byRows ? rows : columns;
  const gram = byRows ? gramOf(transposed(scaled, rows, columns), columns, rows) : gramOf(scaled, rows, columns);
  const asked = byRows ? centred : product(scaled, rows, columns, centred);
  for (const penalty of penalties) {
    const penalised = new Square(side, side);
    for (let j = 0; j < side; j++) for (let k = 0; k < side; k++) penalised.set(j, k, gram[Math.max(j, k) * side + Math.min(j, k)]! + (j === k ? penalty : 0));
    const decomposed = new CholeskyDecomposition(penalised);
    if (!decomposed.isPositiveDefinite()) throw new RangeError(`a penalty of ${penalty} leaves ${columns} columns of ${rows} rows dependent`);
    const solved = decomposed.solve(asked);
    const solution = byRows ? product(scaled, rows, columns, solved) : solved;
    const weights = new Float64Array(outputs * columns);
    const bias = level.slice();
    for (let i = 0; i < outputs; i++) {
      for (let j = 0; j < columns; j++) {
        const weight = solution.get(j, i) * scale[j]!;
        weights[i * columns + j] = weight;
        bias[i]! -= weight * mean[j]!;
      }
    }
    yield { outputs, weights, bias };
  }
}

function transposed(values: Float64Array, rows: number, columns: number): Float64Array {
  const result = new Float64Array(values.length);
  for (let row = 0; row < rows; row++) for (let j = 0; j < columns; j++) result[j * rows + row] = values[row * columns + j]!;
  return result;
}

/** The transpose of `values` times `factors` [rows, outputs]: [columns, outputs]. */
function product(values: Float64Array, rows: number, columns: number, factors: Square): Square {
  const outputs = factors.columns;
  const sums = new Float64Array(columns * outputs);
  for (let row = 0; row < rows; row++) {
    const factor = factors.getRow(row);
    for (let j = 0; j < columns; j++) for (let i = 0; i < outputs; i++) sums[j * outputs + i]! += values[row * columns + j]! * factor[i]!;
  }
  return Square.from1DArray(columns, outputs, sums);
}

/** Lower triangle of the products of columns, [columns, columns]; four rows at a time, since memory is what takes the time. */
function gramOf(values: Float64Array, rows: number, columns: number): Float64Array {
  const gram = new Float64Array(columns * columns);
  const none = new Float64Array(columns);
  for (let row = 0; row < rows; row += 4) {
    const [a, b, c, d] = [0, 1, 2, 3].map((i) => (row + i < rows ? values.subarray((row + i) * columns, (row + i + 1) * columns) : none)) as [Float64Array, Float64Array, Float64Array, Float64Array];
    for (let j = 0; j < columns; j++) {
      const [aj, bj, cj, dj] = [a[j]!, b[j]!, c[j]!, d[j]!];
      const at = j * columns;
      for (let k = 0; k <= j; k++) gram[at + k]! += aj * a[k]! + bj * b[k]! + cj * c[k]! + dj * d[k]!;
    }
  }
  return gram;
}

/** @returns [rows, outputs] */
export function predictOutputs({ outputs, weights, bias }: LinearOutputs, { values, rows, columns }: Matrix): Float64Array {
  const result = new Float64Array(rows * outputs);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < outputs; i++) {
      let sum = bias[i]!;
      for (let j = 0; j < columns; j++) sum += weights[i * columns + j]! * values[row * columns + j]!;
      result[row * outputs + i] = sum;
    }
  }
  return result;
}
