import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FeatureVector, packFloat64, TOPICS } from '@millwright/contracts';
import { exportClassifier, Random, type Network } from '@millwright/learning';
import { writePackage, type UnsignedManifest } from '@millwright/models';
import type { AssetKind, Plant } from '@millwright/plant';
import { FeatureExtractor } from '@millwright/signal';
import type { Context, LogRecord } from '@millwright/streams';
import proto, { type onnx } from 'onnx-proto';

const rule = { priority: 'high', onAt: 0.8, offBelow: 0.5, onDelayUs: 0, offDelayUs: 0 } as const;
const signal = (name: string) => ({ name, unit: '', rateHz: 1, min: -1e9, max: 1e9, nan: 'missing' as const });

/** A kind with two signals, windows of 10 s every 10 s, and three models: a diagnosis, and two that look back 3 windows. */
export const KIND: AssetKind = {
  name: 'pump',
  window: { lengthUs: 10e6, hopUs: 10e6, graceUs: 20e6 },
  signals: [signal('speed'), signal('heat')],
  models: ['toy-diagnosis', 'toy-life', 'toy-anomaly'],
  charts: [],
  alarms: { diagnosis: rule, finding: rule, silentSignal: rule, faultPriority: {} },
};

export const { names: NAMES, layout: LAYOUT } = new FeatureExtractor(KIND);
const FEATURES = ['speed.mean', 'heat.mean', 'speed~heat.xcorr', 'heat.std'];

/** A plant of three pumps, its model packages written beside it. */
export async function toyPlant(): Promise<{ plant: Plant; remove: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'millwright-inference-'));
  await writePackage(join(directory, 'models', 'toy-diagnosis'), diagnosis(), exportClassifier(NETWORK, SCALER, 32));
  await writeLife(directory, 'toy-life');
  await writePackage(join(directory, 'models', 'toy-anomaly'), { ...lookingBack(), name: 'toy-anomaly', task: 'anomaly', limit: 3, outputs: { score: 'score' } }, meanGraph({ score: 0.5 }));
  const assets = new Map(['P1', 'P2', 'P3'].map((id) => [id, { id, kind: KIND, site: '', area: '', line: '', description: '' }]));
  const plant: Plant = { name: 'toy', enterprise: '', directory, assets, kinds: new Map([[KIND.name, KIND]]) };
  return { plant, remove: () => rm(directory, { recursive: true }) };
}

/** Writes a package whose value is the mean of the first feature over three windows, plus a constant; its interval is one to each side. */
export async function writeLife(plantDirectory: string, name: string, version = '1.2.3', constant = 0): Promise<void> {
  await writePackage(
    join(plantDirectory, 'models', name),
    { ...lookingBack(), name, version, task: 'regression', quantity: 'remaining life', unit: 'h', coverage: 0.9, outputs: { value: 'value', lower: 'lower', upper: 'upper' } },
    meanGraph({ value: constant, lower: constant - 1, upper: constant + 1 }),
  );
}

/** What models that look back three windows have in common. */
function lookingBack() {
  const { labels: _labels, normal: _normal, ...rest } = { ...diagnosis(), input: { name: 'features', features: FEATURES, history: 3 } };
  return rest;
}

const weights = (count: number, seed: number): Float32Array => {
  const random = new Random(seed);
  return Float32Array.from({ length: count }, () => random.normal());
};

/** Of toy-diagnosis, whose preprocessing changes nothing within ±10. */
export const NETWORK: Network = {
  layers: [
    { inputs: 4, outputs: 6, weights: weights(24, 1), bias: weights(6, 2) },
    { inputs: 6, outputs: 3, weights: weights(18, 3), bias: weights(3, 4) },
  ],
};
const SCALER = { impute: Float64Array.of(0, 0, 0, 0), mean: Float64Array.of(0, 0, 0, 0), std: Float64Array.of(1, 1, 1, 1), clip: 10 };

function diagnosis(): Extract<UnsignedManifest, { task: 'diagnosis' }> {
  return {
    format: 'millwright-model/1',
    name: 'toy-diagnosis',
    version: '1.2.3',
    description: 'random weights',
    task: 'diagnosis',
    kinds: ['pump'],
    input: { name: 'features', features: FEATURES, history: 1 },
    batch: 32,
    preprocessing: { impute: [0, 0, 0, 0], mean: [0, 0, 0, 0], std: [1, 1, 1, 1], clip: 10 },
    labels: ['fine', 'worn', 'loose'],
    normal: 'fine',
    outputs: { probabilities: 'probabilities', contributions: 'contributions' },
    training: { data: 'none', dataSha256: '0'.repeat(64), command: 'none', metrics: {} },
  };
}

/** Each output is the mean of the first feature over three windows, plus a constant. */
function meanGraph(outputs: Readonly<Record<string, number>>): Uint8Array {
  const { ModelProto, TensorProto, AttributeProto } = proto.onnx;
  const FLOAT = TensorProto.DataType.FLOAT;
  const value = (name: string, dims: number[]): onnx.IValueInfoProto => ({ name, type: { tensorType: { elemType: FLOAT, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } } });
  const bytes = (values: ArrayLike<number>): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
  const axes = { name: 'axes', type: AttributeProto.AttributeType.INTS, ints: [1] };
  const drop = { name: 'keepdims', type: AttributeProto.AttributeType.INT, i: 0 };
  return ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      name: 'mean',
      node: [
        { opType: 'ReduceMean', input: ['features'], output: ['mean'], attribute: [axes, drop] },
        ...Object.keys(outputs).map((name) => ({ opType: 'Gemm', input: ['mean', 'first', `${name}_constant`], output: [name] })),
      ],
      initializer: [
        { name: 'first', dims: [4, 1], dataType: FLOAT, rawData: bytes([1, 0, 0, 0]) },
        ...Object.entries(outputs).map(([name, constant]) => ({ name: `${name}_constant`, dims: [1], dataType: FLOAT, rawData: bytes([constant]) })),
      ],
      input: [value('features', [32, 3, 4])],
      output: Object.keys(outputs).map((name) => value(name, [32, 1])),
    },
  }).finish();
}

/** Values of a feature vector with the named features set, 0 elsewhere. */
export function features(set: Readonly<Record<string, number>>): Float64Array {
  return Float64Array.from(NAMES, (name) => set[name] ?? 0);
}

/** The window numbered `k` of an asset. */
export function vector(asset: string, k: number, values: Float64Array, changes: Partial<FeatureVector> = {}): FeatureVector {
  return {
    asset, kind: 'pump', windowStartUs: k * 10e6, windowEndUs: (k + 1) * 10e6, revision: 0, layout: LAYOUT,
    values: packFloat64(values), missingRatio: 0, silentSignals: [], ...changes,
  };
}

export const contextOf = (key: string): Context => ({
  key,
  partition: 0,
  topic: TOPICS.features.name,
  watermarkUs: -Infinity,
  isLive: true,
  setTimer: () => undefined,
  late: () => undefined,
  forget: () => undefined,
});

export function recordOf(message: FeatureVector, offset = 0): LogRecord {
  return {
    topic: TOPICS.features.name, partition: 0, offset, key: message.asset, value: FeatureVector.encode(message).finish(), timeMs: message.windowEndUs / 1000,
    headers: { schema: TOPICS.features.schema, source: 'features/0', sequence: offset + 1 },
  };
}
