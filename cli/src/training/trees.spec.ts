import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from '@jest/globals';
import { exportBoosted, exportForest, matrixOf, predictBoosted, predictForest, Random, softmax, trainBoosting, trainForest, type Matrix } from '@millwright/learning';

const BOOSTING = { rounds: 30, learningRate: 0.1, leaves: 12, leafRows: 3, l2: 1, rowShare: 0.8, columnShare: 0.7, bins: 64, seed: 1 };
const WINDOWS = 100;
const COLUMNS = 5;

/** Values that float32 holds, some of them missing. */
function windows(rows: number, seed: number): Matrix {
  const random = new Random(seed);
  return matrixOf(Array.from({ length: rows }, () => Array.from({ length: COLUMNS }, () => (random.uniform() < 0.05 ? NaN : Math.fround(random.normal())))));
}

const inputs = windows(600, 1);
const asked = windows(WINDOWS, 2);
const classes = Int32Array.from({ length: inputs.rows }, (_, row) => ((inputs.values[row * COLUMNS]! > 0.3 ? 1 : 0) + (inputs.values[row * COLUMNS + 1]! > 0 ? 1 : 0)));

/** ONNX Runtime looks at the identity of Float32Array, which is another within Jest: it runs in a thread of its own. */
const RUNTIME = `
const { parentPort, workerData: { model, values, dims } } = require('node:worker_threads');
const { InferenceSession, Tensor } = require('onnxruntime-node');
InferenceSession.create(model)
  .then((session) => session.run({ features: new Tensor('float32', Float32Array.from(values), dims) }))
  .then(({ output }) => parentPort.postMessage([...output.data]));
`;

async function onnxOf(model: Uint8Array): Promise<number[]> {
  const worker = new Worker(RUNTIME, { eval: true, workerData: { model, values: [...asked.values], dims: [WINDOWS, COLUMNS] } });
  const [output] = (await once(worker, 'message')) as [number[]];
  await worker.terminate();
  return output;
}

function expectEqual(actual: readonly number[], expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < actual.length; i++) expect(Math.abs(actual[i]! - expected[i]!)).toBeLessThan(1e-4);
}

describe('trees as ONNX give what the learner gives, to 1e-4 on 100 windows', () => {
  it('boosted values', async () => {
    const model = trainBoosting(inputs, Float64Array.from(classes), { ...BOOSTING, objective: { kind: 'squared' } });
    expectEqual(await onnxOf(exportBoosted(model, COLUMNS, WINDOWS, 'identity')), predictBoosted(model, asked));
  });

  it('boosted odds, as probabilities', async () => {
    const model = trainBoosting(inputs, classes.map((each) => Math.min(1, each)), { ...BOOSTING, objective: { kind: 'logistic' } });
    expectEqual(await onnxOf(exportBoosted(model, COLUMNS, WINDOWS, 'sigmoid')), predictBoosted(model, asked).map((odds) => 1 / (1 + Math.exp(-odds))));
  });

  it('boosted logits, as probabilities', async () => {
    const model = trainBoosting(inputs, classes, { ...BOOSTING, objective: { kind: 'softmax', classes: 3 } });
    expectEqual(await onnxOf(exportBoosted(model, COLUMNS, WINDOWS, 'softmax')), softmax(Float32Array.from(predictBoosted(model, asked)), 3));
  });

  it('forests', async () => {
    const forest = trainForest(inputs, classes, { classes: 3, trees: 20, columns: 2, leafRows: 2, seed: 1 });
    expectEqual(await onnxOf(exportForest(forest, COLUMNS, WINDOWS)), predictForest(forest, asked));
  });
});
