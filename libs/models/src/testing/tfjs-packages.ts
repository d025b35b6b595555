import type { Layer, Network } from '@millwright/learning';
import { loadPackage, writePackage, type ModelPackage } from '../package.js';
import { diagnosisManifest, randomClassifier, temporaryFolder } from './packages.js';

/** Preprocessing that changes nothing. */
const identity = (features: number) => ({ impute: new Float64Array(features), mean: new Float64Array(features), std: new Float64Array(features).fill(1), clip: 1e9 });

/** A random classifier as a layers model, or as a graph model, with the network that it is made of. */
export async function tfjsPackage(format: 'layers-model' | 'graph-model', sizes: readonly number[], seed: number): Promise<{ model: ModelPackage; network: Network }> {
  const { network, labels } = randomClassifier(sizes, seed);
  const features = Array.from({ length: sizes[0]! }, (_, i) => `s${i}.mean`);
  const { contributions: _none, ...outputs } = diagnosisManifest(features, labels, identity(sizes[0]!), 32).outputs;
  const manifest = { ...diagnosisManifest(features, labels, identity(sizes[0]!), 32), engine: 'tfjs' as const, outputs };
  const json = {
    format,
    modelTopology: format === 'layers-model' ? sequential(network) : graph(network),
    weightsManifest: [
      {
        paths: ['weights.bin'],
        weights: network.layers.flatMap(({ inputs, outputs: units }, i) => [
          { name: `${denseName(network, i)}/kernel`, shape: [inputs, units], dtype: 'float32' },
          { name: `${denseName(network, i)}/bias`, shape: [units], dtype: 'float32' },
        ]),
      },
    ],
  };
  const weights = Buffer.concat(network.layers.flatMap((layer) => [kernelOf(layer), layer.bias]).map((values) => Buffer.from(Float32Array.from(values).buffer)));
  const directory = await temporaryFolder();
  await writePackage(directory, manifest, Buffer.from(JSON.stringify(json)), new Map([['weights.bin', weights]]));
  return { model: await loadPackage(directory), network };
}

/** TensorFlow has a row an input, the trainer a row a unit. */
const kernelOf = ({ inputs, outputs, weights }: Layer): Float32Array => Float32Array.from({ length: inputs * outputs }, (_, i) => weights[(i % outputs) * inputs + Math.floor(i / outputs)]!);

/** The last layer is named as the output that it gives. */
const denseName = ({ layers }: Network, i: number): string => (i === layers.length - 1 ? 'probabilities' : `dense${i}`);

function sequential(network: Network): object {
  const { layers } = network;
  const dense = layers.map(({ outputs }, i) => {
    const last = i === layers.length - 1;
    return { class_name: 'Dense', config: { name: denseName(network, i), units: outputs, activation: last ? 'softmax' : 'relu', use_bias: true } };
  });
  const flatten = { class_name: 'Flatten', config: { name: 'features', batch_input_shape: [null, 1, layers[0]!.inputs] } };
  return { class_name: 'Sequential', config: { name: 'toy', layers: [flatten, ...dense] }, keras_version: '2.15.0', backend: 'tensorflow' };
}

const FLOAT = { type: 'DT_FLOAT' };

function graph(network: Network): object {
  const { layers } = network;
  const constant = (name: string) => ({ name, op: 'Const', attr: { dtype: FLOAT } });
  const dim = (...sizes: number[]) => ({ shape: { dim: sizes.map((size) => ({ size: String(size) })) } });
  const nodes: object[] = [
    { name: 'features', op: 'Placeholder', attr: { dtype: FLOAT, shape: dim(-1, 1, layers[0]!.inputs) } },
    { name: 'flat', op: 'Squeeze', input: ['features'], attr: { T: FLOAT, squeeze_dims: { list: { i: ['1'] } } } },
  ];
  let last = 'flat';
  layers.forEach((_, i) => {
    const name = denseName(network, i);
    nodes.push(
      constant(`${name}/kernel`),
      constant(`${name}/bias`),
      { name: `product${i}`, op: 'MatMul', input: [last, `${name}/kernel`], attr: { T: FLOAT, transpose_a: { b: false }, transpose_b: { b: false } } },
      { name: `sum${i}`, op: 'AddV2', input: [`product${i}`, `${name}/bias`], attr: { T: FLOAT } },
    );
    last = `sum${i}`;
    if (i < layers.length - 1) nodes.push({ name: (last = `relu${i}`), op: 'Relu', input: [`sum${i}`], attr: { T: FLOAT } });
  });
  nodes.push({ name: 'probabilities', op: 'Softmax', input: [last], attr: { T: FLOAT } });
  return { node: nodes, library: {}, versions: { producer: 1 } };
}
