import type { Matrix } from './matrix.js';

/** Columns cut into few bins, so that the best split of a node is found by one pass over its rows. */
export interface Binned {
  /** [columns, rows], column by column: the bin of each value; missing values are in bin 0. */
  readonly bins: Uint8Array;
  /**
   * By column: upper edge of each bin but the last. A value is in the first bin whose edge it does not exceed. Where values are
   * missing the first edge is below all others, so that a split may part what is missing from what is there.
   */
  readonly edges: readonly Float64Array[];
}

/** Cuts each column at quantiles of its values, between values that occur. @param most bins of a column, 2 to 256 */
export function binColumns({ values, rows, columns }: Matrix, most: number): Binned {
  const bins = new Uint8Array(rows * columns);
  const edges: Float64Array[] = [];
  for (let column = 0; column < columns; column++) {
    const sorted = new Float64Array(rows);
    let present = 0;
    for (let row = 0; row < rows; row++) {
      const value = values[row * columns + column]!;
      if (!Number.isNaN(value)) sorted[present++] = value;
    }
    const missing = present < rows;
    const cuts = cutsOf(sorted.subarray(0, present).sort(), missing ? most - 1 : most, missing ? [-Number.MAX_VALUE] : []);
    for (let row = 0; row < rows; row++) bins[column * rows + row] = binOf(cuts, values[row * columns + column]!);
    edges.push(cuts);
  }
  return { bins, edges };
}

function cutsOf(sorted: Float64Array, most: number, cuts: number[]): Float64Array {
  for (let i = 1; i < most; i++) {
    const at = Math.floor((i * sorted.length) / most);
    if (at === 0 || at >= sorted.length) continue;
    // The cut goes where values change: a quantile inside a run of equal values moves to its end.
    let next = at;
    while (next < sorted.length && sorted[next]! <= sorted[at - 1]!) next++;
    if (next >= sorted.length) break;
    const cut = (sorted[next - 1]! + sorted[next]!) / 2;
    if (cuts.length === 0 || cut > cuts.at(-1)!) cuts.push(cut);
  }
  return Float64Array.from(cuts);
}

function binOf(edges: Float64Array, value: number): number {
  if (Number.isNaN(value)) return 0;
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (value <= edges[middle]!) high = middle;
    else low = middle + 1;
  }
  return low;
}
