import { CholeskyDecomposition, inverse } from 'ml-matrix';
import type { Matrix } from './matrix.js';
import { momentsOf } from './moments.js';

/** How far rows are from normal ones, each direction measured by how much normal rows spread in it. */
export interface Mahalanobis {
  readonly mean: Float64Array;
  /** [columns, columns]: deviations times it have the unit matrix as covariance, over the root of the number of columns. */
  readonly whitening: Float64Array;
  /** Logarithm of the determinant of the covariance, over the number of columns. */
  readonly spread: number;
}

/**
 * Mahalanobis distance (1936) with the covariance drawn towards its diagonal (Schäfer and Strimmer 2005), over the root of the number
 * of columns, so that normal rows are at about 1.
 * @param shrinkage 0 to 1: share of the correlations that is taken away
 */
export function fitMahalanobis(normal: Matrix, shrinkage: number): Mahalanobis {
  const { columns } = normal;
  const { mean, covariance } = momentsOf(normal);
  // A column that does not vary in normal operation would make any change infinite.
  const floor = 1e-4 * Math.max(1e-12, ...covariance.diagonal());
  for (let j = 0; j < columns; j++) {
    for (let k = 0; k < j; k++) {
      covariance.set(j, k, (1 - shrinkage) * covariance.get(j, k));
      covariance.set(k, j, covariance.get(j, k));
    }
    covariance.set(j, j, Math.max(floor, covariance.get(j, j)));
  }
  const triangle = new CholeskyDecomposition(covariance).lowerTriangularMatrix;
  const roots = inverse(triangle);
  const whitening = new Float64Array(columns * columns);
  for (let j = 0; j < columns; j++) for (let k = 0; k < columns; k++) whitening[j * columns + k] = roots.get(k, j) / Math.sqrt(columns);
  const spread = (2 * triangle.diagonal().reduce((sum, each) => sum + Math.log(each), 0)) / columns;
  return { mean, whitening, spread };
}

/** @returns distance of each row */
export function distances({ mean, whitening }: Pick<Mahalanobis, 'mean' | 'whitening'>, { values, rows, columns }: Matrix): Float64Array {
  return Float64Array.from({ length: rows }, (_, row) => {
    const white = new Float64Array(columns);
    for (let j = 0; j < columns; j++) {
      const deviation = values[row * columns + j]! - mean[j]!;
      for (let k = 0; k < columns; k++) white[k]! += deviation * whitening[j * columns + k]!;
    }
    return Math.sqrt(white.reduce((sum, each) => sum + each * each, 0));
  });
}
