import type { Network } from './network.js';
import { addScaler, GraphBuilder, int } from './onnx-graph.js';
import type { Scaler } from './scaler.js';

/**
 * The classifier as an ONNX graph (opset 13), preprocessing included.
 *
 * Input "features": float32 [batch, 1, features], raw, NaN where there is none.
 * Output "probabilities": float32 [batch, classes].
 * Output "contributions": float32 [batch, features], gradient × scaled input of the winning class's score above the mean
 * score of all classes. (Softmax knows scores only up to a common shift; measuring from the mean takes that freedom away.)
 * The gradient of a ReLU network is a product of weight matrices with the rows of silent units struck out, so the graph
 * computes it with the same few matrix products as the way forward.
 */
export function exportClassifier(network: Network, scaler: Scaler, batch: number): Uint8Array {
  const features = scaler.mean.length;
  const graph = new GraphBuilder();
  const last = network.layers.length - 1;
  const classes = network.layers[last]!.outputs;

  graph.node('Reshape', ['features', graph.int64('shape', [batch, features])], 'raw');
  let values = addScaler(graph, 'raw', scaler);
  network.layers.forEach((layer, index) => {
    const weights = graph.float(`weights_${index}`, [layer.outputs, layer.inputs], layer.weights);
    const bias = graph.float(`bias_${index}`, [layer.outputs], layer.bias);
    graph.node('Gemm', [values, weights, bias], `sum_${index}`, [int('transB', 1)]);
    values = `sum_${index}`;
    if (index < last) {
      graph.node('Relu', [values], `hidden_${index}`);
      values = `hidden_${index}`;
    }
  });
  graph.node('Softmax', [values], 'probabilities', [int('axis', 1)]);

  graph.node('ArgMax', [values], 'winner', [int('axis', 1), int('keepdims', 0)]);
  const { weights, inputs } = network.layers[last]!;
  graph.node('Gather', [graph.float('weights_above_mean', [classes, inputs], aboveMean(weights, classes, inputs)), 'winner'], `gradient_${last}`, [int('axis', 0)]);
  for (let index = last - 1; index >= 0; index--) {
    graph.node('Greater', [`hidden_${index}`, graph.float(`zero_${index}`, [], [0])], `active_${index}`);
    graph.node('Where', [`active_${index}`, `gradient_${index + 1}`, `zero_${index}`], `masked_${index}`);
    graph.node('MatMul', [`masked_${index}`, `weights_${index}`], `gradient_${index}`);
  }
  graph.node('Mul', ['gradient_0', 'scaled'], 'contributions');

  return graph.encode('classifier', { features: [batch, 1, features] }, { probabilities: [batch, classes], contributions: [batch, features] });
}

/** Weights of each class less the mean over classes. */
function aboveMean(weights: Float32Array, classes: number, inputs: number): Float32Array {
  const result = weights.slice();
  for (let input = 0; input < inputs; input++) {
    let mean = 0;
    for (let each = 0; each < classes; each++) mean += weights[each * inputs + input]! / classes;
    for (let each = 0; each < classes; each++) result[each * inputs + input]! -= mean;
  }
  return result;
}
