import { binColumns, type Binned } from './binning.js';
import type { Matrix } from './matrix.js';
import { Random } from './random.js';
import { addTree, TreeBuilder, type Tree } from './tree.js';

/** What boosted trees are fitted to. */
export type Objective =
  /** Least squares; one output. */
  | { readonly kind: 'squared' }
  /** Binary cross-entropy of targets 0 and 1; the output is the log odds. */
  | { readonly kind: 'logistic' }
  /** Cross-entropy of class indices; one output a class, as logits. */
  | { readonly kind: 'softmax'; readonly classes: number };

export interface BoostingOptions {
  readonly objective: Objective;
  readonly rounds: number;
  readonly learningRate: number;
  /** Most leaves of a tree; they are split best first. */
  readonly leaves: number;
  /** Fewest rows of a leaf. */
  readonly leafRows: number;
  /** L2 penalty on what leaves say. */
  readonly l2: number;
  /** Share of rows and of columns drawn anew for each tree, 0 to 1. */
  readonly rowShare: number;
  readonly columnShare: number;
  /** Bins that columns are cut into, 2 to 256: few are faster and smoother, many reach values in the tails. */
  readonly bins: number;
  readonly seed: number;
  /** How much each row counts; default: all the same. */
  readonly weights?: Float64Array;
  /** Told after each round how many there are. */
  readonly onRound?: (rounds: number) => void;
}

/** Sums of trees, one sum an output. */
export interface Boosted {
  readonly outputs: number;
  /** What each output starts from. */
  readonly base: Float64Array;
  /** Tree i adds to output i modulo `outputs`; leaves include the learning rate. */
  readonly trees: readonly Tree[];
}

/**
 * Gradient-boosted decision trees on binned columns, second order, grown best leaf first
 * (Friedman 2001; Chen and Guestrin 2016, XGBoost; Ke et al. 2017, LightGBM).
 * @param targets value, 0 or 1, or class index of each row
 */
export function trainBoosting(inputs: Matrix, targets: ArrayLike<number>, options: BoostingOptions): Boosted {
  const { objective } = options;
  const { rows, columns } = inputs;
  const outputs = objective.kind === 'softmax' ? objective.classes : 1;
  const binned = binColumns(inputs, options.bins);
  const random = new Random(options.seed);
  const weights = options.weights ?? new Float64Array(rows).fill(1);
  const base = startOf(objective, targets, weights, outputs);
  const scores = new Float64Array(rows * outputs);
  for (let i = 0; i < scores.length; i++) scores[i] = base[i % outputs]!;
  const gradient = new Float64Array(rows * outputs);
  const curvature = new Float64Array(rows * outputs);
  const grower = new Grower(binned, rows, options);
  const trees: Tree[] = [];
  for (let round = 0; round < options.rounds; round++) {
    derive(objective, scores, targets, weights, gradient, curvature);
    const chosenRows = draw(rows, options.rowShare, random);
    for (let output = 0; output < outputs; output++) {
      const tree = grower.grow(chosenRows.slice(), draw(columns, options.columnShare, random), gradient, curvature, outputs, output);
      addTree(tree, 1, inputs, 1, scores, outputs, output);
      trees.push(tree);
    }
    options.onRound?.(round + 1);
  }
  return { outputs, base, trees };
}

/** @returns [rows, outputs]: values, log odds or logits, by the objective. */
export function predictBoosted({ outputs, base, trees }: Boosted, inputs: Matrix): Float64Array {
  const result = new Float64Array(inputs.rows * outputs);
  for (let i = 0; i < result.length; i++) result[i] = base[i % outputs]!;
  trees.forEach((tree, index) => addTree(tree, 1, inputs, 1, result, outputs, index % outputs));
  return result;
}

function startOf(objective: Objective, targets: ArrayLike<number>, weights: Float64Array, outputs: number): Float64Array {
  const base = new Float64Array(outputs);
  let total = 0;
  const sums = new Float64Array(outputs);
  weights.forEach((weight, row) => {
    total += weight;
    if (objective.kind === 'softmax') sums[targets[row]!]! += weight;
    else sums[0]! += weight * targets[row]!;
  });
  for (let i = 0; i < outputs; i++) {
    const share = sums[i]! / total;
    const bounded = Math.min(1 - 1e-6, Math.max(1e-6, share));
    base[i] = objective.kind === 'squared' ? share : objective.kind === 'logistic' ? Math.log(bounded / (1 - bounded)) : Math.log(bounded);
  }
  return base;
}

function derive(objective: Objective, scores: Float64Array, targets: ArrayLike<number>, weights: Float64Array, gradient: Float64Array, curvature: Float64Array): void {
  if (objective.kind === 'softmax') {
    const { classes } = objective;
    for (let row = 0; row < weights.length; row++) {
      const at = row * classes;
      let greatest = -Infinity;
      for (let i = 0; i < classes; i++) greatest = Math.max(greatest, scores[at + i]!);
      let sum = 0;
      for (let i = 0; i < classes; i++) sum += gradient[at + i] = Math.exp(scores[at + i]! - greatest);
      for (let i = 0; i < classes; i++) {
        const p = gradient[at + i]! / sum;
        gradient[at + i] = weights[row]! * (p - (targets[row] === i ? 1 : 0));
        curvature[at + i] = weights[row]! * Math.max(1e-6, p * (1 - p));
      }
    }
    return;
  }
  for (let row = 0; row < weights.length; row++) {
    const p = objective.kind === 'squared' ? scores[row]! : 1 / (1 + Math.exp(-scores[row]!));
    gradient[row] = weights[row]! * (p - targets[row]!);
    curvature[row] = weights[row]! * (objective.kind === 'squared' ? 1 : Math.max(1e-6, p * (1 - p)));
  }
}

/** A share of 0..count-1 without repetition, in rising order; at least one. */
function draw(count: number, share: number, random: Random): Int32Array {
  const wanted = Math.max(1, Math.round(count * share));
  const result = new Int32Array(wanted);
  let taken = 0;
  for (let i = 0; i < count && taken < wanted; i++) if (random.uniform() * (count - i) < wanted - taken) result[taken++] = i;
  return result.subarray(0, taken);
}

/** A leaf that may be split: rows [from, to) of the order, and sums of gradient, curvature and rows by column and bin. */
interface Leaf {
  readonly node: number;
  readonly from: number;
  readonly to: number;
  readonly sums: Float64Array;
  readonly best: Split | undefined;
}

interface Split {
  readonly gain: number;
  readonly column: number;
  readonly bin: number;
}

class Grower {
  /** Scratch for partitions. */
  readonly #aside: Int32Array;

  constructor(
    private readonly binned: Binned,
    private readonly rows: number,
    private readonly options: BoostingOptions,
  ) {
    this.#aside = new Int32Array(rows);
  }

  grow(order: Int32Array, columns: Int32Array, gradient: Float64Array, curvature: Float64Array, stride: number, offset: number): Tree {
    const { leaves, learningRate, l2 } = this.options;
    const builder = new TreeBuilder(1);
    const leaf = (node: number, from: number, to: number, sums: Float64Array): Leaf => ({ node, from, to, sums, best: this.#bestSplit(sums, columns, to - from) });
    const sum = (from: number, to: number): Float64Array => this.#sums(order.subarray(from, to), columns, gradient, curvature, stride, offset);
    const open: Leaf[] = [leaf(builder.leaf(), 0, order.length, sum(0, order.length))];
    while (open.length < leaves) {
      let chosen = -1;
      for (let i = 0; i < open.length; i++) if (open[i]!.best !== undefined && (chosen < 0 || open[i]!.best!.gain > open[chosen]!.best!.gain)) chosen = i;
      if (chosen < 0) break;
      const parent = open[chosen]!;
      const { column, bin } = parent.best!;
      const middle = this.#partition(order, parent.from, parent.to, column, bin);
      const [left, right] = builder.split(parent.node, column, this.binned.edges[column]![bin]!);
      // Only the smaller child is summed; the other is what is left of its parent.
      const leftIsSmaller = middle - parent.from <= parent.to - middle;
      const smaller = leftIsSmaller ? sum(parent.from, middle) : sum(middle, parent.to);
      const larger = parent.sums;
      for (let i = 0; i < larger.length; i++) larger[i]! -= smaller[i]!;
      open[chosen] = leaf(left, parent.from, middle, leftIsSmaller ? smaller : larger);
      open.push(leaf(right, middle, parent.to, leftIsSmaller ? larger : smaller));
    }
    for (const { node, from, to } of open) {
      let g = 0;
      let h = 0;
      for (let i = from; i < to; i++) {
        g += gradient[order[i]! * stride + offset]!;
        h += curvature[order[i]! * stride + offset]!;
      }
      builder.say(node, 0, (-learningRate * g) / (h + l2));
    }
    return builder.build();
  }

  #sums(order: Int32Array, columns: Int32Array, gradient: Float64Array, curvature: Float64Array, stride: number, offset: number): Float64Array {
    const { bins } = this.binned;
    const width = this.options.bins * 3;
    const sums = new Float64Array(columns.length * width);
    for (let c = 0; c < columns.length; c++) {
      const column = columns[c]! * this.rows;
      const base = c * width;
      for (let i = 0; i < order.length; i++) {
        const row = order[i]!;
        const at = base + bins[column + row]! * 3;
        sums[at]! += gradient[row * stride + offset]!;
        sums[at + 1]! += curvature[row * stride + offset]!;
        sums[at + 2]! += 1;
      }
    }
    return sums;
  }

  #bestSplit(sums: Float64Array, columns: Int32Array, rows: number): Split | undefined {
    const { leafRows, l2, bins } = this.options;
    if (rows < 2 * leafRows) return undefined;
    let totalG = 0;
    let totalH = 0;
    for (let at = 0; at < bins * 3; at += 3) {
      totalG += sums[at]!;
      totalH += sums[at + 1]!;
    }
    const whole = (totalG * totalG) / (totalH + l2);
    let best: Split | undefined;
    let most = 1e-9;
    for (let c = 0; c < columns.length; c++) {
      const edges = this.binned.edges[columns[c]!]!.length;
      let g = 0;
      let h = 0;
      let n = 0;
      for (let bin = 0; bin < edges; bin++) {
        const at = (c * bins + bin) * 3;
        g += sums[at]!;
        h += sums[at + 1]!;
        n += sums[at + 2]!;
        if (n < leafRows) continue;
        if (rows - n < leafRows) break;
        const gain = (g * g) / (h + l2) + ((totalG - g) * (totalG - g)) / (totalH - h + l2) - whole;
        if (gain > most) {
          most = gain;
          best = { gain, column: columns[c]!, bin };
        }
      }
    }
    return best;
  }

  /** Rows of [from, to) that go left come first, both sides in their order; returns where the right ones begin. */
  #partition(order: Int32Array, from: number, to: number, column: number, bin: number): number {
    const bins = this.binned.bins;
    const at = column * this.rows;
    let middle = from;
    let aside = 0;
    for (let i = from; i < to; i++) {
      const row = order[i]!;
      if (bins[at + row]! <= bin) order[middle++] = row;
      else this.#aside[aside++] = row;
    }
    order.set(this.#aside.subarray(0, aside), middle);
    return middle;
  }
}
