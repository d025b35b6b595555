import { CholeskyDecomposition, inverse, Matrix as Square } from 'ml-matrix';
import type { Matrix } from './matrix.js';
import { momentsOf } from './moments.js';

export interface CloudOptions {
  /** Share of the correlations of a class that is taken away, 0 to 1. */
  readonly shrinkage: number;
  /** Share of each covariance that the class `common` lends, 0 to 1: a class that holds a column still spreads in it a little. */
  readonly lent: number;
  /** Index of the class that lends. */
  readonly common: number;
  /** Degrees of freedom of the tails, above 0: the fewer, the less a row far from every class says. */
  readonly freedom: number;
}

/** Where the rows of one class lie. */
interface Cloud {
  readonly mean: Float64Array;
  /** [columns, columns], lower triangle: it times deviations has the unit matrix as covariance. */
  readonly whitening: Float64Array;
  /** Half the logarithm of the determinant of the covariance. */
  readonly spread: number;
}

export interface ClassClouds {
  readonly columns: number;
  readonly freedom: number;
  readonly clouds: readonly Cloud[];
}

/** Least variance of a column, of the mean variance of the columns of the common class. */
const FLOOR = 1e-4;

/**
 * Classes as elliptical clouds, each with a covariance of its own: regularised discriminant analysis (Friedman 1989, JASA 84,
 * 165-175) with Student's t for the normal distribution (Lange, Little and Taylor 1989, JASA 84, 881-896), so that a row
 * that none of the classes knows does not go to the widest of them for sure. Means and covariances are those of the rows.
 * @param rowsByClass at least two rows each, without missing values
 */
export function fitClassClouds(rowsByClass: readonly Matrix[], { shrinkage, lent, common, freedom }: CloudOptions): ClassClouds {
  const { columns } = rowsByClass[common]!;
  const moments = rowsByClass.map(momentsOf);
  const lender = moments[common]!.covariance;
  const floor = (FLOOR * lender.trace()) / columns;
  const clouds = moments.map(({ mean, covariance }) => {
    const own = Square.mul(covariance, 1 - shrinkage);
    for (let j = 0; j < columns; j++) own.set(j, j, covariance.get(j, j));
    const mixed = Square.add(Square.mul(own, 1 - lent), Square.mul(lender, lent)).add(Square.eye(columns, columns, floor));
    const triangle = new CholeskyDecomposition(mixed).lowerTriangularMatrix;
    return { mean, whitening: Float64Array.from(inverse(triangle).to1DArray()), spread: triangle.diagonal().reduce((sum, each) => sum + Math.log(each), 0) };
  });
  return { columns, freedom, clouds };
}

/** Logarithm of the density of each row in each class, but for a constant that all classes share: [rows, classes]. */
export function logDensities({ columns, freedom, clouds }: ClassClouds, { values, rows }: Matrix): Float64Array {
  const result = new Float64Array(rows * clouds.length);
  const deviation = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    clouds.forEach(({ mean, whitening, spread }, index) => {
      for (let j = 0; j < columns; j++) deviation[j] = values[row * columns + j]! - mean[j]!;
      let distance = 0;
      for (let j = 0; j < columns; j++) {
        let white = 0;
        for (let k = 0; k <= j; k++) white += whitening[j * columns + k]! * deviation[k]!;
        distance += white * white;
      }
      result[row * clouds.length + index] = -spread - ((freedom + columns) / 2) * Math.log1p(distance / freedom);
    });
  }
  return result;
}
