/** A dense layer: y = W x + b. */
export interface Layer {
  readonly inputs: number;
  readonly outputs: number;
  /** [outputs, inputs], row by row. */
  readonly weights: Float32Array;
  readonly bias: Float32Array;
}

/** Multi-layer perceptron: ReLU between layers, softmax after the last. */
export interface Network {
  readonly layers: readonly Layer[];
}

/**
 * Scores before softmax ("logits"), [rows, classes].
 * @param inputs scaled values, [rows, features]
 */
export function logits(network: Network, inputs: Float32Array, rows: number): Float32Array {
  let values = inputs;
  network.layers.forEach((layer, index) => {
    values = forward(layer, values, rows, index < network.layers.length - 1);
  });
  return values;
}

function forward({ inputs, outputs, weights, bias }: Layer, values: Float32Array, rows: number, relu: boolean): Float32Array {
  const result = new Float32Array(rows * outputs);
  for (let row = 0; row < rows; row++) {
    for (let to = 0; to < outputs; to++) {
      let sum = bias[to]!;
      for (let from = 0; from < inputs; from++) sum += weights[to * inputs + from]! * values[row * inputs + from]!;
      result[row * outputs + to] = relu && sum < 0 ? 0 : sum;
    }
  }
  return result;
}

/** Softmax of each row of `width` values, in double precision. */
export function softmax(scores: Float32Array | Float64Array, width: number): Float64Array {
  const result = new Float64Array(scores.length);
  for (let start = 0; start < scores.length; start += width) {
    let largest = -Infinity;
    for (let i = start; i < start + width; i++) largest = Math.max(largest, scores[i]!);
    let sum = 0;
    for (let i = start; i < start + width; i++) sum += result[i] = Math.exp(scores[i]! - largest);
    for (let i = start; i < start + width; i++) result[i]! /= sum;
  }
  return result;
}

/**
 * Networks of one hidden layer and the same shape as one: the wide network's scores are the mean of theirs, since the
 * hidden units stand side by side.
 */
export function average(networks: readonly Network[]): Network {
  const hidden = networks.map((network) => network.layers[0]!);
  const last = networks.map((network) => network.layers[1]!);
  if (networks.some((network) => network.layers.length !== 2)) throw new RangeError('only networks of one hidden layer can be averaged');
  const [{ inputs }, { outputs }] = [hidden[0]!, last[0]!];
  const width = hidden.reduce((sum, layer) => sum + layer.outputs, 0);
  const first: Layer = { inputs, outputs: width, weights: new Float32Array(width * inputs), bias: new Float32Array(width) };
  const second: Layer = { inputs: width, outputs, weights: new Float32Array(outputs * width), bias: new Float32Array(outputs) };
  let offset = 0;
  networks.forEach((_, n) => {
    first.weights.set(hidden[n]!.weights, offset * inputs);
    first.bias.set(hidden[n]!.bias, offset);
    for (let to = 0; to < outputs; to++) {
      for (let from = 0; from < hidden[n]!.outputs; from++) {
        second.weights[to * width + offset + from] = last[n]!.weights[to * hidden[n]!.outputs + from]! / networks.length;
      }
      second.bias[to]! += last[n]!.bias[to]! / networks.length;
    }
    offset += hidden[n]!.outputs;
  });
  return { layers: [first, second] };
}

/** The network with its scores divided by `temperature`: same winners, other confidence. */
export function cooled(network: Network, temperature: number): Network {
  const layers = network.layers.map((layer, index) =>
    index < network.layers.length - 1 ? layer : { ...layer, weights: layer.weights.map((w) => w / temperature), bias: layer.bias.map((b) => b / temperature) },
  );
  return { layers };
}
