import type { Matrix } from './matrix.js';

/**
 * A decision tree as flat arrays; node 0 is the root. A row goes left where its value is at most the threshold or missing.
 */
export interface Tree {
  /** Column asked by each node; -1 for a leaf. */
  readonly column: Int32Array;
  readonly threshold: Float64Array;
  readonly left: Int32Array;
  readonly right: Int32Array;
  /** [nodes, outputs]: what a leaf says; zeros for the other nodes. */
  readonly value: Float64Array;
}

/** Grows node by node into the arrays of a Tree. */
export class TreeBuilder {
  readonly #column: number[] = [];
  readonly #threshold: number[] = [];
  readonly #left: number[] = [];
  readonly #right: number[] = [];
  readonly #value: number[] = [];

  constructor(private readonly outputs: number) {}

  /** Adds a leaf that says zero; returns its index. */
  leaf(): number {
    this.#left.push(-1);
    this.#right.push(-1);
    this.#threshold.push(0);
    for (let i = 0; i < this.outputs; i++) this.#value.push(0);
    return this.#column.push(-1) - 1;
  }

  /** What leaf `node` says for `output`. */
  say(node: number, output: number, value: number): void {
    this.#value[node * this.outputs + output] = value;
  }

  /** Makes leaf `node` ask; returns its two new leaves. */
  split(node: number, column: number, threshold: number): [left: number, right: number] {
    const left = this.leaf();
    const right = this.leaf();
    this.#column[node] = column;
    this.#threshold[node] = threshold;
    this.#left[node] = left;
    this.#right[node] = right;
    return [left, right];
  }

  build(): Tree {
    return {
      column: Int32Array.from(this.#column),
      threshold: Float64Array.from(this.#threshold),
      left: Int32Array.from(this.#left),
      right: Int32Array.from(this.#right),
      value: Float64Array.from(this.#value),
    };
  }
}

/** The leaf that the row whose values start at `at` comes to. */
export function leafOf(tree: Tree, values: Float64Array, at: number): number {
  let node = 0;
  for (let column = tree.column[0]!; column >= 0; column = tree.column[node]!) {
    node = values[at + column]! > tree.threshold[node]! ? tree.right[node]! : tree.left[node]!;
  }
  return node;
}

/** Adds what the tree says of each row, times `scale`, to `out[row * outputs + offset ...]`. */
export function addTree(tree: Tree, width: number, inputs: Matrix, scale: number, out: Float64Array, outputs: number, offset: number): void {
  for (let row = 0; row < inputs.rows; row++) {
    const leaf = leafOf(tree, inputs.values, row * inputs.columns);
    for (let i = 0; i < width; i++) out[row * outputs + offset + i]! += scale * tree.value[leaf * width + i]!;
  }
}
