/** Rows of numbers, one column a feature; NaN where there is no value. */
export interface Matrix {
  /** [rows, columns], row by row. */
  readonly values: Float64Array;
  readonly rows: number;
  readonly columns: number;
}

/** @throws RangeError when rows are not all as long as the first. */
export function matrixOf(rows: readonly ArrayLike<number>[]): Matrix {
  const columns = rows[0]?.length ?? 0;
  const values = new Float64Array(rows.length * columns);
  rows.forEach((row, index) => {
    if (row.length !== columns) throw new RangeError(`row ${index} has ${row.length} values, the first has ${columns}`);
    values.set(row, index * columns);
  });
  return { values, rows: rows.length, columns };
}

const rowOf = ({ values, columns }: Matrix, row: number): Float64Array => values.subarray(row * columns, (row + 1) * columns);

/** The rows from `from` on and before `to`, as far as there are such; they share memory with the matrix. */
export function rowsBetween({ values, rows, columns }: Matrix, from: number, to: number): Matrix {
  const first = Math.min(rows, Math.max(0, from));
  const end = Math.max(first, Math.min(rows, to));
  return { values: values.subarray(first * columns, end * columns), rows: end - first, columns };
}

/** The rows with these indices, in that order. */
export function takeRows(matrix: Matrix, rows: ArrayLike<number>): Matrix {
  const values = new Float64Array(rows.length * matrix.columns);
  for (let i = 0; i < rows.length; i++) values.set(rowOf(matrix, rows[i]!), i * matrix.columns);
  return { values, rows: rows.length, columns: matrix.columns };
}

/** The rows of one matrix after those of the other. */
export function joinRows(parts: readonly Matrix[]): Matrix {
  const { columns } = parts[0]!;
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const values = new Float64Array(rows * columns);
  let at = 0;
  for (const part of parts) {
    values.set(part.values, at);
    at += part.values.length;
  }
  return { values, rows, columns };
}
