import type { Matrix } from './matrix.js';
import { Random } from './random.js';
import { addTree, TreeBuilder, type Tree } from './tree.js';

export interface ForestOptions {
  readonly classes: number;
  readonly trees: number;
  /** Columns tried for each split. */
  readonly columns: number;
  /** Fewest rows of a leaf. */
  readonly leafRows: number;
  readonly seed: number;
  /** How much each class counts, however many rows it has; default: all the same. */
  readonly classWeights?: ArrayLike<number>;
}

/** Trees whose leaves say how likely each class is; the forest says their mean. */
export interface Forest {
  readonly classes: number;
  readonly trees: readonly Tree[];
}

/**
 * Extremely randomised trees: each split is the best of a few columns, each cut at random between its least and greatest value
 * (Geurts, Ernst and Wehenkel 2006, Machine Learning 63, 3-42). Splits are judged by the Gini impurity of weighted classes.
 * Missing values go left.
 */
export function trainForest(inputs: Matrix, classes: Int32Array, options: ForestOptions): Forest {
  const random = new Random(options.seed);
  const counts = new Float64Array(options.classes);
  for (const each of classes) counts[each]!++;
  const weights = counts.map((count, i) => (count === 0 ? 0 : (options.classWeights?.[i] ?? 1) / count));
  const grower = new Grower(inputs, classes, weights, options, random);
  return { classes: options.classes, trees: Array.from({ length: options.trees }, () => grower.grow()) };
}

/** @returns probabilities [rows, classes] */
export function predictForest({ classes, trees }: Forest, inputs: Matrix): Float64Array {
  const result = new Float64Array(inputs.rows * classes);
  for (const tree of trees) addTree(tree, classes, inputs, 1 / trees.length, result, classes, 0);
  return result;
}

class Grower {
  readonly #left: Float64Array;

  constructor(
    private readonly inputs: Matrix,
    private readonly classes: Int32Array,
    private readonly weights: Float64Array,
    private readonly options: ForestOptions,
    private readonly random: Random,
  ) {
    this.#left = new Float64Array(weights.length);
  }

  grow(): Tree {
    const builder = new TreeBuilder(this.options.classes);
    const order = Int32Array.from({ length: this.inputs.rows }, (_, row) => row);
    const open = [{ node: builder.leaf(), from: 0, to: order.length }];
    for (let leaf = open.pop(); leaf !== undefined; leaf = open.pop()) {
      const { node, from, to } = leaf;
      const total = new Float64Array(this.options.classes);
      for (let i = from; i < to; i++) total[this.classes[order[i]!]!]! += this.weights[this.classes[order[i]!]!]!;
      const split = this.#split(order, from, to, total);
      if (split === undefined) {
        const sum = total.reduce((all, each) => all + each, 0);
        total.forEach((each, i) => builder.say(node, i, each / sum));
        continue;
      }
      const middle = this.#partition(order, from, to, split.column, split.threshold);
      const [left, right] = builder.split(node, split.column, split.threshold);
      open.push({ node: right, from: middle, to }, { node: left, from, to: middle });
    }
    return builder.build();
  }

  #split(order: Int32Array, from: number, to: number, total: Float64Array): { column: number; threshold: number } | undefined {
    const { leafRows } = this.options;
    if (to - from < 2 * leafRows || total.filter((each) => each > 0).length < 2) return undefined;
    const { values, columns } = this.inputs;
    let best: { column: number; threshold: number } | undefined;
    let most = -Infinity;
    for (let tried = 0, looked = 0; tried < this.options.columns && looked < 3 * this.options.columns; looked++) {
      const column = Math.floor(this.random.uniform() * columns);
      let least = Infinity;
      let greatest = -Infinity;
      for (let i = from; i < to; i++) {
        const value = values[order[i]! * columns + column]!;
        if (value < least) least = value;
        if (value > greatest) greatest = value;
      }
      if (!(greatest > least)) continue;
      tried++;
      const threshold = least + this.random.uniform() * (greatest - least);
      const left = this.#left.fill(0);
      let rows = 0;
      for (let i = from; i < to; i++) {
        if (values[order[i]! * columns + column]! > threshold) continue;
        const each = this.classes[order[i]!]!;
        left[each]! += this.weights[each]!;
        rows++;
      }
      if (rows < leafRows || to - from - rows < leafRows) continue;
      const purity = purityOf(left, total);
      if (purity > most) {
        most = purity;
        best = { column, threshold };
      }
    }
    return best;
  }

  #partition(order: Int32Array, from: number, to: number, column: number, threshold: number): number {
    const { values, columns } = this.inputs;
    let middle = from;
    for (let i = from; i < to; i++) {
      const row = order[i]!;
      if (values[row * columns + column]! > threshold) continue;
      order[i] = order[middle]!;
      order[middle++] = row;
    }
    return middle;
  }
}

/** Sum over both sides of Σ weight² / Σ weight: rises as Gini impurity falls. */
function purityOf(left: Float64Array, total: Float64Array): number {
  let [l, r, l2, r2] = [0, 0, 0, 0];
  for (let i = 0; i < left.length; i++) {
    const a = left[i]!;
    const b = total[i]! - a;
    l += a;
    r += b;
    l2 += a * a;
    r2 += b * b;
  }
  return l2 / l + r2 / r;
}
