import { Matrix as Square } from 'ml-matrix';
import type { Matrix } from './matrix.js';

/** Mean and standard deviation of each column over all parts; 1 for a column that never varies, so that it can be divided by. */
export function scaleOf(parts: readonly Matrix[]): { mean: Float64Array; std: Float64Array } {
  const { columns } = parts[0]!;
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const mean = new Float64Array(columns);
  const std = new Float64Array(columns);
  for (const { values } of parts) for (let i = 0; i < values.length; i++) mean[i % columns]! += values[i]! / rows;
  for (const { values } of parts) for (let i = 0; i < values.length; i++) std[i % columns]! += (values[i]! - mean[i % columns]!) ** 2 / rows;
  return { mean, std: std.map((variance) => Math.sqrt(variance) || 1) };
}

/** Mean of each column, and covariance of the columns: that of the rows, not an estimate for others. */
export function momentsOf({ values, rows, columns }: Matrix): { mean: Float64Array; covariance: Square } {
  const mean = new Float64Array(columns);
  for (let i = 0; i < values.length; i++) mean[i % columns]! += values[i]! / rows;
  const covariance = Square.zeros(columns, columns);
  const deviation = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < columns; j++) deviation[j] = values[row * columns + j]! - mean[j]!;
    for (let j = 0; j < columns; j++) for (let k = 0; k <= j; k++) covariance.set(j, k, covariance.get(j, k) + (deviation[j]! * deviation[k]!) / rows);
  }
  for (let j = 0; j < columns; j++) for (let k = 0; k < j; k++) covariance.set(k, j, covariance.get(j, k));
  return { mean, covariance };
}
