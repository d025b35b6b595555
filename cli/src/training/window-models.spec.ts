import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  exportWindowModel, fitMahalanobis, fitMiniRocket, fitRidgePath, fitScaler, predictWindows, Random, scaleWindows, summarise, takeWindows, trainBoosting, trainForest, transformMiniRocket,
  type Head, type WindowModel, type Windows,
} from '@millwright/learning';
import { loadPackage, startOnnxEngine, writePackage } from '@millwright/models';

const FEATURES = ['a.mean', 'b.mean', 'c.mean'];
const BOOSTING = { rounds: 30, learningRate: 0.1, leaves: 12, leafRows: 3, l2: 1, rowShare: 0.8, columnShare: 0.7, bins: 64, seed: 1 };
const BATCH = 100;

/** Courses of random walks, some values missing. */
function walks(rows: number, history: number, seed: number): Windows {
  const random = new Random(seed);
  const values = new Float32Array(rows * history * FEATURES.length);
  for (let row = 0; row < rows; row++) {
    for (let feature = 0; feature < FEATURES.length; feature++) {
      let value = 1000 * feature + random.normal();
      for (let step = 0; step < history; step++) values[(row * history + step) * FEATURES.length + feature] = random.uniform() < 0.03 ? NaN : (value += random.normal());
    }
  }
  return { features: FEATURES, history, values, rows };
}

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'millwright-window-models-'))));
afterAll(() => rm(folder, { recursive: true }));

/** Greatest difference between what the learner says and what its package says, on 100 windows that it has not seen. */
async function difference(history: number, make: (scaled: Float32Array, classes: Int32Array, data: Windows) => WindowModel, head: Head): Promise<number> {
  const data = walks(400, history, 1);
  const asked = walks(BATCH, history, 2);
  const scaler = fitScaler(data, 20);
  const scaled = scaleWindows(data, scaler);
  const last = summarise(scaled, data.rows, history, FEATURES.length);
  const classes = Int32Array.from({ length: data.rows }, (_, row) => (last.values[row * last.columns]! > 0.3 ? 1 : 0) + (last.values[row * last.columns + 1]! > 0 ? 1 : 0));
  const model = make(scaled, classes, data);
  const { impute, mean, std, clip } = scaler;
  const common = {
    format: 'millwright-model/1' as const, name: 'toy', version: '1', description: '', kinds: ['pump'], input: { name: 'features', features: FEATURES, history }, batch: BATCH,
    preprocessing: { impute: [...impute], mean: [...mean], std: [...std], clip }, training: { data: '', dataSha256: '0'.repeat(64), command: '', metrics: {} },
  };
  const manifest =
    head.kind === 'probabilities' ? { ...common, task: 'diagnosis' as const, labels: ['x', 'y', 'z'], normal: 'x', outputs: { probabilities: 'probabilities' } }
    : head.kind === 'interval' ? { ...common, task: 'regression' as const, quantity: 'life', unit: 'h', coverage: 0.9, outputs: { value: 'value', lower: 'lower', upper: 'upper' } }
    : { ...common, task: 'anomaly' as const, limit: 1, outputs: { score: 'score' } };
  await writePackage(folder, manifest, exportWindowModel({ scaler, history, batch: BATCH, model, head }));
  const loaded = await loadPackage(folder);
  const engine = await startOnnxEngine({ packages: [loaded], workers: 1, device: 'cpu', logger: { info: () => undefined, warn: () => undefined } });
  const { outputs } = await engine.run(loaded, 1, (input) => input.set(asked.values));
  const said = predictWindows(model, head, scaler, takeWindows(asked, Array.from({ length: BATCH }, (_, row) => row)));
  const differences = loaded.outputs.map(({ name }, i) => {
    expect(outputs[i]!.length).toBe(said[name]!.length);
    return Math.max(...said[name]!.map((value, at) => Math.abs(value - outputs[i]![at]!)));
  });
  await engine.close();
  return Math.max(...differences);
}

const PROBABILITIES: Head = { kind: 'probabilities', temperature: 0.7, classes: 3 };

describe.each([1, 12, 30])('models of windows of %d steps as packages say what the learner says, to 1e-4 on 100 windows', (history) => {
  const summary = (scaled: Float32Array, data: Windows) => summarise(scaled, data.rows, history, FEATURES.length);

  it('boosted values with an interval', async () => {
    const make = (scaled: Float32Array, classes: Int32Array, data: Windows): WindowModel => ({ kind: 'boosted', boosted: trainBoosting(summary(scaled, data), classes, { ...BOOSTING, objective: { kind: 'squared' } }) });
    expect(await difference(history, make, { kind: 'interval', halfWidth: 0.25, least: 0.1, greatest: 1.9 })).toBeLessThan(1e-4);
  });

  it('boosted classes', async () => {
    const make = (scaled: Float32Array, classes: Int32Array, data: Windows): WindowModel => ({ kind: 'boosted', boosted: trainBoosting(summary(scaled, data), classes, { ...BOOSTING, objective: { kind: 'softmax', classes: 3 } }) });
    expect(await difference(history, make, PROBABILITIES)).toBeLessThan(1e-4);
  });

  it('forests', async () => {
    const make = (scaled: Float32Array, classes: Int32Array, data: Windows): WindowModel => ({ kind: 'forest', forest: trainForest(summary(scaled, data), classes, { classes: 3, trees: 30, columns: 3, leafRows: 2, seed: 1 }) });
    expect(await difference(history, make, PROBABILITIES)).toBeLessThan(1e-4);
  });

  it('Mahalanobis distances', async () => {
    const make = (scaled: Float32Array, _: Int32Array, data: Windows): WindowModel => ({ kind: 'mahalanobis', mahalanobis: fitMahalanobis(summary(scaled, data), 0.1) });
    expect(await difference(history, make, { kind: 'score' })).toBeLessThan(1e-4);
  });

  (history < 9 ? it.skip : it)('MiniRocket with ridge', async () => {
    const make = (scaled: Float32Array, classes: Int32Array, data: Windows): WindowModel => {
      const rocket = fitMiniRocket(scaled, data.rows, history, FEATURES.length, { features: 840, seed: 3 });
      const targets = Float64Array.from({ length: data.rows * 3 }, (_, i) => (classes[Math.floor(i / 3)] === i % 3 ? 1 : -1));
      const [linear] = fitRidgePath(transformMiniRocket(rocket, scaled, data.rows), targets, [10]);
      return { kind: 'rocket', rocket, linear: linear! };
    };
    expect(await difference(history, make, { ...PROBABILITIES, temperature: 0.1 })).toBeLessThan(1e-4);
  });
});
