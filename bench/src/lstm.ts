import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadPackage, writePackage, type ModelPackage } from '@millwright/models';
import proto, { type onnx } from 'onnx-proto';
import { randomOf } from './random.js';

const { ModelProto, AttributeProto, TensorProto } = proto.onnx;
const FLOAT = TensorProto.DataType.FLOAT;
const INT64 = TensorProto.DataType.INT64;

/** Shape of the model: what a diagnosis of a process unit takes. */
const HISTORY = 50;
const FEATURES = 52;
const HIDDEN = 64;
const CLASSES = 22;
const BATCH = 32;

/** A package with an LSTM of fixed random weights: only its cost matters here. */
export async function lstmPackage(): Promise<ModelPackage> {
  const directory = await mkdtemp(join(tmpdir(), 'millwright-bench-model-'));
  const ones = (n: number): number[] => new Array<number>(n).fill(1);
  const zeros = (n: number): number[] => new Array<number>(n).fill(0);
  await writePackage(
    directory,
    {
      format: 'millwright-model/1',
      task: 'diagnosis',
      name: 'bench-lstm',
      version: '1',
      description: `LSTM(${HIDDEN}) on ${HISTORY} windows of ${FEATURES} features, random weights`,
      kinds: ['bench'],
      input: { name: 'features', features: Array.from({ length: FEATURES }, (_, i) => `s${i}.mean`), history: HISTORY },
      batch: BATCH,
      preprocessing: { impute: zeros(FEATURES), mean: zeros(FEATURES), std: ones(FEATURES), clip: 10 },
      labels: Array.from({ length: CLASSES }, (_, i) => String(i)),
      normal: '0',
      outputs: { probabilities: 'probabilities' },
      training: { data: 'none', dataSha256: '0'.repeat(64), command: 'npm run bench', metrics: {} },
    },
    lstm(),
  );
  return loadPackage(directory);
}

function lstm(): Uint8Array {
  const random = randomOf(1);
  const constant = (name: string, dims: number[]): onnx.ITensorProto => ({
    name,
    dims,
    dataType: FLOAT,
    rawData: new Uint8Array(Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => (random() - 0.5) * 0.2).buffer),
  });
  const node = (opType: string, input: string[], output: string[], attribute: onnx.IAttributeProto[] = []): onnx.INodeProto => ({ opType, input, output, attribute });
  const ints = (name: string, values: number[]): onnx.IAttributeProto => ({ name, type: AttributeProto.AttributeType.INTS, ints: values });
  const int = (name: string, i: number): onnx.IAttributeProto => ({ name, type: AttributeProto.AttributeType.INT, i });
  const tensor = (name: string, dims: number[]): onnx.IValueInfoProto => ({
    name,
    type: { tensorType: { elemType: FLOAT, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } },
  });
  return ModelProto.encode({
    irVersion: 8,
    producerName: 'millwright-bench',
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      name: 'lstm',
      node: [
        node('Transpose', ['features'], ['steps'], [ints('perm', [1, 0, 2])]),
        node('LSTM', ['steps', 'w', 'r', 'b'], ['', 'last'], [int('hidden_size', HIDDEN)]),
        node('Squeeze', ['last', 'axes'], ['hidden']),
        node('Gemm', ['hidden', 'out_w', 'out_b'], ['scores']),
        node('Softmax', ['scores'], ['probabilities'], [int('axis', 1)]),
      ],
      initializer: [
        constant('w', [1, 4 * HIDDEN, FEATURES]),
        constant('r', [1, 4 * HIDDEN, HIDDEN]),
        constant('b', [1, 8 * HIDDEN]),
        constant('out_w', [HIDDEN, CLASSES]),
        constant('out_b', [CLASSES]),
        { name: 'axes', dims: [1], dataType: INT64, rawData: new Uint8Array(BigInt64Array.of(0n).buffer) },
      ],
      input: [tensor('features', [BATCH, HISTORY, FEATURES])],
      output: [tensor('probabilities', [BATCH, CLASSES])],
    },
  }).finish();
}
