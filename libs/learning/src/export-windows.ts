import { addTrees, boostedEnsemble, forestEnsemble } from './export-trees.js';
import { KERNEL_COUNT, marginOf, STEPS, TAPS, weightsOf, type MiniRocket } from './minirocket.js';
import { addScaler, ELEMENT, GraphBuilder, int, ints } from './onnx-graph.js';
import type { LinearOutputs } from './ridge-path.js';
import type { Scaler } from './scaler.js';
import { addSummary } from './summary.js';
import { LEAST_PROBABILITY, type Head, type WindowModel } from './window-model.js';

export interface WindowGraph {
  readonly scaler: Scaler;
  readonly history: number;
  readonly batch: number;
  readonly model: WindowModel;
  readonly head: Head;
}

/**
 * The model as an ONNX graph (opset 13, ai.onnx.ml 3), preprocessing and calibration included.
 * Input "features": float32 [batch, history, features], raw, NaN where there is none. Outputs: what Head names, float32.
 */
export function exportWindowModel({ scaler, history, batch, model, head }: WindowGraph): Uint8Array {
  const graph = new GraphBuilder();
  const features = scaler.mean.length;
  const scaled = addScaler(graph, 'features', scaler);
  const said =
    model.kind === 'rocket'
      ? addRocket(graph, scaled, batch, model.rocket, model.linear)
      : addSummaryModel(graph, addSummary(graph, scaled, batch, history, features), model);
  return graph.encode('windows', { features: [batch, history, features] }, addHead(graph, said, batch, model.kind === 'forest', head));
}

function addSummaryModel(graph: GraphBuilder, summary: string, model: Exclude<WindowModel, { kind: 'rocket' }>): string {
  switch (model.kind) {
    case 'boosted':
      return addTrees(graph, summary, boostedEnsemble(model.boosted));
    case 'forest':
      return addTrees(graph, summary, forestEnsemble(model.forest));
    case 'mahalanobis': {
      const { mean, whitening } = model.mahalanobis;
      const deviation = graph.node('Sub', [summary, graph.float('normal', [mean.length], mean)], 'deviation');
      const white = graph.node('MatMul', [deviation, graph.float('whitening', [mean.length, mean.length], whitening)], 'white');
      return graph.node('ReduceL2', [white], 'distance', [ints('axes', [1]), int('keepdims', 1)]);
    }
  }
}

function addHead(graph: GraphBuilder, said: string, batch: number, saysProbabilities: boolean, head: Head): Record<string, number[]> {
  switch (head.kind) {
    case 'probabilities': {
      // A forest says probabilities: its scores are their logarithms.
      const scores = saysProbabilities ? graph.node('Log', [graph.node('Max', [said, graph.float('least_probability', [], [LEAST_PROBABILITY])], 'positive')], 'scores') : said;
      const cooled = graph.node('Div', [scores, graph.float('temperature', [], [head.temperature])], 'cooled');
      graph.node('Softmax', [cooled], 'probabilities', [int('axis', 1)]);
      return { probabilities: [batch, head.classes] };
    }
    case 'interval': {
      graph.node('Clip', [said, graph.float('least', [], [head.least]), graph.float('greatest', [], [head.greatest])], 'value');
      const half = graph.float('half_width', [], [head.halfWidth]);
      graph.node('Sub', ['value', half], 'lower');
      graph.node('Add', ['value', half], 'upper');
      return { value: [batch, 1], lower: [batch, 1], upper: [batch, 1] };
    }
    case 'score':
      graph.node('Identity', [said], 'score');
      return { score: [batch, 1] };
  }
}

/** Two convolutions a dilation: of kernels with zeros on both sides, and of those without. */
function addRocket(graph: GraphBuilder, scaled: string, batch: number, { channels, dilations, features }: MiniRocket, { outputs, weights, bias }: LinearOutputs): string {
  const byChannel = graph.node('Transpose', [scaled], 'by_channel', [ints('perm', [0, 2, 1])]);
  const steps = graph.node('Round', [graph.node('Mul', [byChannel, graph.float('steps_a_unit', [], [STEPS])], 'fine')], 'series');
  const parts: string[] = [];
  /** Of each column of the parts, where the transform has it. */
  const order: number[] = [];
  let first = 0;
  for (const { dilation, channels: chosen, biases, padded } of dilations) {
    const count = biases[0]!.length;
    for (const withZeros of [true, false]) {
      const kernels = Array.from({ length: KERNEL_COUNT }, (_, kernel) => kernel).filter((kernel) => padded[kernel] === withZeros);
      const filters = new Float32Array(kernels.length * channels * TAPS);
      kernels.forEach((kernel, i) => {
        for (const channel of chosen[kernel]!) filters.set(weightsOf(kernel), (i * channels + channel) * TAPS);
        for (let each = 0; each < count; each++) order.push(first + kernel * count + each);
      });
      const name = `d${dilation}_${withZeros ? 'padded' : 'valid'}`;
      const margin = withZeros ? marginOf(dilation) : 0;
      const convolved = graph.node('Conv', [steps, graph.float(`${name}_kernels`, [kernels.length, channels, TAPS], filters)], `${name}_convolved`, [ints('dilations', [dilation]), ints('pads', [margin, margin]), ints('kernel_shape', [TAPS])]);
      const each = graph.node('Unsqueeze', [convolved, graph.int64(`${name}_axis`, [2])], `${name}_each`);
      const thresholds = graph.float(`${name}_biases`, [kernels.length, count, 1], kernels.flatMap((kernel) => [...biases[kernel]!]));
      const above = graph.node('Cast', [graph.node('Greater', [each, thresholds], `${name}_is_above`)], `${name}_above`, [int('to', ELEMENT.float)]);
      const shares = graph.node('ReduceMean', [above], `${name}_shares`, [ints('axes', [3]), int('keepdims', 0)]);
      parts.push(graph.node('Reshape', [shares, graph.int64(`${name}_row`, [batch, kernels.length * count])], `${name}_features`));
    }
    first += KERNEL_COUNT * count;
  }
  const transformed = graph.node('Concat', parts, 'transformed', [int('axis', 1)]);
  const reordered = new Float32Array(outputs * features);
  for (let output = 0; output < outputs; output++) order.forEach((from, to) => (reordered[output * features + to] = weights[output * features + from]!));
  return graph.node('Gemm', [transformed, graph.float('weights', [outputs, features], reordered), graph.float('bias', [outputs], bias)], 'sums', [int('transB', 1)]);
}
