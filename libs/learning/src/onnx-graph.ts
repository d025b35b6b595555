import proto, { type onnx } from 'onnx-proto';
import type { Scaler } from './scaler.js';

const { TensorProto, ModelProto, AttributeProto } = proto.onnx;
const { FLOAT, DOUBLE, INT64, BOOL } = TensorProto.DataType;

/** Element types of tensors that graphs convert to. */
export const ELEMENT = { float: FLOAT, double: DOUBLE, bool: BOOL } as const;

export const int = (name: string, value: number): onnx.IAttributeProto => ({ name, type: AttributeProto.AttributeType.INT, i: value });
export const ints = (name: string, values: readonly number[]): onnx.IAttributeProto => ({ name, type: AttributeProto.AttributeType.INTS, ints: [...values] });
export const floats = (name: string, values: readonly number[]): onnx.IAttributeProto => ({ name, type: AttributeProto.AttributeType.FLOATS, floats: [...values] });
export const texts = (name: string, values: readonly string[]): onnx.IAttributeProto => ({
  name,
  type: AttributeProto.AttributeType.STRINGS,
  strings: values.map((value) => new TextEncoder().encode(value)),
});

/** Domain of the operators for trees. */
const TREES = 'ai.onnx.ml';

/** Collects nodes and constants of an ONNX graph (opset 13, ai.onnx.ml 3). Each node has one output, whose name is its own. */
export class GraphBuilder {
  readonly #nodes: onnx.INodeProto[] = [];
  readonly #initializers: onnx.ITensorProto[] = [];

  /** Adds a node; returns the name of its output. */
  node(opType: string, input: string[], output: string, attribute: onnx.IAttributeProto[] = []): string {
    this.#nodes.push({ opType, name: output, input, output: [output], attribute });
    return output;
  }

  /** Adds a node of the operators for trees. */
  trees(opType: string, input: string[], output: string, attribute: onnx.IAttributeProto[]): string {
    this.#nodes.push({ opType, domain: TREES, name: output, input, output: [output], attribute });
    return output;
  }

  /** Adds a constant; returns its name. */
  float(name: string, dims: number[], values: ArrayLike<number>): string {
    return this.#constant(name, dims, FLOAT, Float32Array.from(values).buffer);
  }

  double(name: string, dims: number[], values: ArrayLike<number>): string {
    return this.#constant(name, dims, DOUBLE, Float64Array.from(values).buffer);
  }

  int64(name: string, values: readonly number[]): string {
    return this.#constant(name, [values.length], INT64, BigInt64Array.from(values, BigInt).buffer);
  }

  #constant(name: string, dims: number[], dataType: number, data: ArrayBuffer): string {
    this.#initializers.push({ name, dims, dataType, rawData: new Uint8Array(data) });
    return name;
  }

  /** @param inputs shapes of float32 tensors by name, as `outputs` */
  encode(name: string, inputs: Record<string, number[]>, outputs: Record<string, number[]>): Uint8Array {
    const trees = this.#nodes.some(({ domain }) => domain === TREES);
    return ModelProto.encode({
      irVersion: 8,
      producerName: 'millwright',
      opsetImport: [{ domain: '', version: 13 }, ...(trees ? [{ domain: TREES, version: 3 }] : [])],
      graph: { name, node: this.#nodes, initializer: this.#initializers, input: tensors(inputs), output: tensors(outputs) },
    }).finish();
  }
}

function tensors(shapes: Record<string, number[]>): onnx.IValueInfoProto[] {
  return Object.entries(shapes).map(([name, dims]) => ({
    name,
    type: { tensorType: { elemType: FLOAT, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } },
  }));
}

/** Adds what a scaler does to `raw`, whose last axis is the features; returns the name of the scaled tensor. */
export function addScaler(graph: GraphBuilder, raw: string, { impute, mean, std, clip }: Scaler): string {
  const features = mean.length;
  graph.node('IsNaN', [raw], 'missing');
  graph.node('Where', ['missing', graph.float('impute', [features], impute), raw], 'imputed');
  graph.node('Sub', ['imputed', graph.float('mean', [features], mean)], 'centred');
  graph.node('Div', ['centred', graph.float('std', [features], std)], 'standardised');
  return graph.node('Clip', ['standardised', graph.float('clip_low', [], [-clip]), graph.float('clip_high', [], [clip])], 'scaled');
}
