import type { Layer, Network } from './network.js';
import { logits } from './network.js';
import { Random } from './random.js';

/** Scaled rows and their classes. */
export interface Examples {
  /** [rows, features] */
  readonly inputs: Float32Array;
  readonly classes: Int32Array;
  readonly rows: number;
}

export interface TrainingOptions {
  readonly classes: number;
  /** Units of each hidden layer; none makes softmax regression. */
  readonly hidden: readonly number[];
  readonly seed: number;
  /** How much each class counts beside the others; default: all the same, however many rows they have. */
  readonly classWeights?: readonly number[];
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number;
  /** Decoupled weight decay (AdamW). */
  readonly weightDecay: number;
  /** Standard deviation of noise added to the scaled inputs in each step, against learning single rows by heart; 0 for none. */
  readonly inputNoise: number;
  /** Probability mass spread over all classes (label smoothing); 0 for none. */
  readonly labelSmoothing: number;
  /** Stop after this many epochs without a lower loss on validation, and keep the best epoch; undefined trains all epochs. */
  readonly patience?: number;
}

export interface Trained {
  readonly network: Network;
  /** Epochs trained until the network returned. */
  readonly epochs: number;
  /** Class-weighted mean cross-entropy on validation, nats. */
  readonly validationLoss: number;
}

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

/** A layer while it is being trained: gradients and Adam's moments beside the weights. */
class TrainableLayer implements Layer {
  readonly weights: Float32Array;
  readonly bias: Float32Array;
  readonly #gradient: { weights: Float32Array; bias: Float32Array };
  readonly #first: { weights: Float32Array; bias: Float32Array };
  readonly #second: { weights: Float32Array; bias: Float32Array };
  readonly activations: Float32Array;
  readonly deltas: Float32Array;

  constructor(
    readonly inputs: number,
    readonly outputs: number,
    batch: number,
    random: Random,
  ) {
    const zeros = (): { weights: Float32Array; bias: Float32Array } => ({ weights: new Float32Array(inputs * outputs), bias: new Float32Array(outputs) });
    // He et al. (2015), for ReLU.
    const spread = Math.sqrt(2 / inputs);
    this.weights = new Float32Array(inputs * outputs).map(() => random.normal() * spread);
    this.bias = new Float32Array(outputs);
    this.#gradient = zeros();
    this.#first = zeros();
    this.#second = zeros();
    this.activations = new Float32Array(batch * outputs);
    this.deltas = new Float32Array(batch * outputs);
  }

  forward(values: Float32Array, rows: number, relu: boolean): void {
    const { inputs, outputs, weights, bias, activations } = this;
    for (let row = 0; row < rows; row++) {
      const start = row * inputs;
      for (let to = 0; to < outputs; to++) {
        const at = to * inputs;
        // Four sums at a time: the additions don't wait for one another.
        let a = bias[to]!;
        let b = 0;
        let c = 0;
        let d = 0;
        let from = 0;
        for (; from + 3 < inputs; from += 4) {
          a += weights[at + from]! * values[start + from]!;
          b += weights[at + from + 1]! * values[start + from + 1]!;
          c += weights[at + from + 2]! * values[start + from + 2]!;
          d += weights[at + from + 3]! * values[start + from + 3]!;
        }
        for (; from < inputs; from++) a += weights[at + from]! * values[start + from]!;
        const sum = a + b + (c + d);
        activations[row * outputs + to] = relu && sum < 0 ? 0 : sum;
      }
    }
  }

  /** From `deltas` (loss by output) to the gradients, and to the deltas of the layer below where there is one. */
  backward(values: Float32Array, rows: number, below: TrainableLayer | undefined): void {
    const { inputs, outputs, weights, deltas } = this;
    const gradient = this.#gradient;
    gradient.weights.fill(0);
    gradient.bias.fill(0);
    below?.deltas.fill(0, 0, rows * inputs);
    for (let row = 0; row < rows; row++) {
      const start = row * inputs;
      for (let to = 0; to < outputs; to++) {
        const delta = deltas[row * outputs + to]!;
        if (delta === 0) continue;
        const at = to * inputs;
        gradient.bias[to]! += delta;
        for (let from = 0; from < inputs; from++) gradient.weights[at + from]! += delta * values[start + from]!;
        if (below !== undefined) for (let from = 0; from < inputs; from++) below.deltas[start + from]! += delta * weights[at + from]!;
      }
    }
    // The slope of ReLU.
    if (below !== undefined) for (let i = 0; i < rows * inputs; i++) if (values[i]! <= 0) below.deltas[i] = 0;
  }

  /** One step of AdamW (Loshchilov and Hutter, 2019). */
  step(time: number, learningRate: number, weightDecay: number): void {
    const rate = (learningRate * Math.sqrt(1 - BETA2 ** time)) / (1 - BETA1 ** time);
    for (const part of ['weights', 'bias'] as const) {
      const values = this[part];
      const gradient = this.#gradient[part];
      const first = this.#first[part];
      const second = this.#second[part];
      const decay = part === 'weights' ? learningRate * weightDecay : 0;
      for (let i = 0; i < values.length; i++) {
        const g = gradient[i]!;
        const m = (first[i] = BETA1 * first[i]! + (1 - BETA1) * g);
        const v = (second[i] = BETA2 * second[i]! + (1 - BETA2) * g * g);
        values[i]! -= (rate * m) / (Math.sqrt(v) + EPSILON) + decay * values[i]!;
      }
    }
  }

  /** The layer as it is now. */
  frozen(): Layer {
    return { inputs: this.inputs, outputs: this.outputs, weights: this.weights.slice(), bias: this.bias.slice() };
  }
}

/**
 * Trains a classifier by mini-batches with AdamW on class-weighted cross-entropy. The learning rate falls to zero along a
 * half cosine. The same arguments give the same network, to the bit.
 */
export function trainClassifier(train: Examples, validation: Examples, options: TrainingOptions): Trained {
  const { seed, batch, classes, epochs } = options;
  const random = new Random(seed);
  const features = train.inputs.length / train.rows;
  const sizes = [features, ...options.hidden, classes];
  const layers = sizes.slice(1).map((outputs, index) => new TrainableLayer(sizes[index]!, outputs, batch, random));
  const weights = rowWeights(train.classes, options.classWeights ?? new Array<number>(classes).fill(1));
  const order = Int32Array.from({ length: train.rows }, (_, row) => row);
  const inputs = new Float32Array(batch * features);
  const steps = Math.ceil(train.rows / batch);

  let best: Trained | undefined;
  let time = 0;
  for (let epoch = 1; epoch <= epochs; epoch++) {
    random.shuffle(order);
    for (let step = 0; step < steps; step++) {
      const rows = order.subarray(step * batch, Math.min(train.rows, (step + 1) * batch));
      rows.forEach((row, index) => inputs.set(train.inputs.subarray(row * features, (row + 1) * features), index * features));
      if (options.inputNoise > 0) for (let i = 0; i < rows.length * features; i++) inputs[i]! += options.inputNoise * random.normal();
      layers.forEach((layer, index) => {
        layer.forward(index === 0 ? inputs : layers[index - 1]!.activations, rows.length, index < layers.length - 1);
      });
      lossByScore(layers.at(-1)!, rows, train.classes, weights, options.labelSmoothing);
      for (let index = layers.length - 1; index >= 0; index--) {
        layers[index]!.backward(index === 0 ? inputs : layers[index - 1]!.activations, rows.length, layers[index - 1]);
      }
      time++;
      const rate = (options.learningRate * (1 + Math.cos((Math.PI * time) / (epochs * steps)))) / 2;
      for (const layer of layers) layer.step(time, rate, options.weightDecay);
    }
    const network: Network = { layers: layers.map((layer) => layer.frozen()) };
    if (options.patience === undefined && epoch < epochs) continue;
    const validationLoss = crossEntropy(logits(network, validation.inputs, validation.rows), validation.classes, classes, weights);
    if (best === undefined || options.patience === undefined || validationLoss < best.validationLoss) best = { network, epochs: epoch, validationLoss };
    else if (epoch - best.epochs >= options.patience) break;
  }
  return best!;
}

/** Weight of a row, by class, so that the classes' total weights are as `wanted` and the mean over the rows is 1. */
function rowWeights(classes: Int32Array, wanted: readonly number[]): Float64Array {
  const rows = new Float64Array(wanted.length);
  for (const each of classes) rows[each]!++;
  const total = wanted.reduce((sum, weight, each) => sum + (rows[each]! > 0 ? weight : 0), 0);
  return rows.map((n, each) => (n > 0 ? (wanted[each]! * classes.length) / (total * n) : 0));
}

/** Writes the derivative of the mean weighted cross-entropy by score into the last layer's deltas. */
function lossByScore(last: TrainableLayer, rows: Int32Array, classes: Int32Array, weights: Float64Array, smoothing: number): void {
  const width = last.outputs;
  const { activations, deltas } = last;
  rows.forEach((row, index) => {
    const start = index * width;
    const target = classes[row]!;
    const weight = weights[target]! / rows.length;
    let largest = -Infinity;
    for (let i = 0; i < width; i++) largest = Math.max(largest, activations[start + i]!);
    let sum = 0;
    for (let i = 0; i < width; i++) sum += Math.exp(activations[start + i]! - largest);
    for (let i = 0; i < width; i++) {
      const probability = Math.exp(activations[start + i]! - largest) / sum;
      const wanted = smoothing / width + (i === target ? 1 - smoothing : 0);
      deltas[start + i] = weight * (probability - wanted);
    }
  });
}

/** Weighted mean of -log p(class), nats. */
export function crossEntropy(scores: Float32Array, classes: Int32Array, width: number, weights?: Float64Array): number {
  let loss = 0;
  let total = 0;
  classes.forEach((target, row) => {
    const start = row * width;
    let largest = -Infinity;
    for (let i = 0; i < width; i++) largest = Math.max(largest, scores[start + i]!);
    let sum = 0;
    for (let i = 0; i < width; i++) sum += Math.exp(scores[start + i]! - largest);
    const weight = weights?.[target] ?? 1;
    loss += weight * (Math.log(sum) + largest - scores[start + target]!);
    total += weight;
  });
  return total > 0 ? loss / total : 0;
}
