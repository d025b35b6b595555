import { afterAll, describe, expect, it } from '@jest/globals';
import { logits, Random, scale, softmax, type Network, type Scaler } from '@millwright/learning';
import { writePackage, loadPackage, type ModelPackage } from '../package.js';
import type { InferenceEngine } from '../engine.js';
import { diagnosisManifest, randomClassifier, silentLogger, temporaryFolder, toyPackage } from '../testing/packages.js';
import { startOnnxEngine } from './engine.js';

const open: InferenceEngine[] = [];
async function engine(packages: readonly ModelPackage[], workers = 1): Promise<InferenceEngine> {
  const started = await startOnnxEngine({ packages, workers, logger: silentLogger });
  open.push(started);
  return started;
}
afterAll(() => Promise.all(open.map((each) => each.close())));

/** Windows around the mean, some far out, some values missing. */
function windows(count: number, { mean, std }: Scaler, seed: number): Float64Array {
  const random = new Random(seed);
  return Float64Array.from({ length: count * mean.length }, (_, i) => {
    const column = i % mean.length;
    return random.uniform() < 0.05 ? NaN : Math.fround(mean[column]! + 3 * std[column]! * random.normal());
  });
}

/** Derivative by central differences of (winner's score - mean score) by scaled input, times the input. */
function contributions(network: Network, scaled: Float32Array): Float64Array {
  const score = (inputs: Float32Array, of: number): number => {
    const all = logits(network, inputs, 1);
    return all[of]! - all.reduce((sum, each) => sum + each, 0) / all.length;
  };
  const all = logits(network, scaled, 1);
  const winner = all.indexOf(Math.max(...all));
  const step = 1e-3;
  return Float64Array.from(scaled, (value, i) => {
    const [up, down] = [scaled.slice(), scaled.slice()];
    up[i]! += step;
    down[i]! -= step;
    return ((score(up, winner) - score(down, winner)) / (up[i]! - down[i]!)) * value;
  });
}

describe('ONNX engine', () => {
  it.each([[[12, 4]], [[12, 16, 4]], [[12, 16, 8, 4]]])('answers as the trainer does: layers %j, 100 windows', async (sizes) => {
    const { network, scaler, labels } = randomClassifier(sizes, 7);
    const model = await toyPackage(sizes, 7);
    const data = { features: labels, labels, values: windows(128, scaler, 3), classes: new Int32Array(128), runs: new Int32Array(128), rows: 128 };
    const scaled = scale({ ...data, features: model.manifest.input.features }, scaler);
    const expected = softmax(logits(network, scaled, 128), 4);
    const onnx = await engine([model]);
    for (let batch = 0; batch < 4; batch++) {
      const { outputs } = await onnx.run(model, 1, (input) => input.set(data.values.subarray(batch * 32 * 12, (batch + 1) * 32 * 12)));
      const [probabilities, byFeature] = outputs.map((output) => output.slice());
      for (let i = 0; i < 128; i++) expect(Math.abs(probabilities![i]! - expected[batch * 128 + i]!)).toBeLessThan(1e-4);
      const wanted = contributions(network, scaled.slice(batch * 32 * 12, batch * 32 * 12 + 12));
      // A unit at its kink within the step may differ; with this seed none is.
      wanted.forEach((each, i) => expect(Math.abs(byFeature![i]! - each)).toBeLessThan(0.02));
    }
  });

  it('reports engine and device, and falls back to the CPU with a log line where another device is asked for and missing', async () => {
    const model = await toyPackage();
    const warnings: string[] = [];
    const onnx = await startOnnxEngine({ packages: [model], workers: 1, device: 'cuda', logger: { info: () => undefined, warn: (_, message) => warnings.push(message) } });
    open.push(onnx);
    expect([onnx.name, onnx.workers]).toEqual(['onnx', 1]);
    if (onnx.device === 'cpu') expect(warnings).toEqual(['inference runs on cpu: cuda could not be used']);
  });

  it('runs several models in the same workers', async () => {
    const models = [await toyPackage([12, 4], 1), await toyPackage([5, 3], 2, 8)];
    const onnx = await engine(models, 2);
    const runs = Array.from({ length: 20 }, (_, i) => onnx.run(models[i % 2]!, 1, (input) => input.fill(i)).then(({ outputs }) => outputs[0]!.length));
    expect(await Promise.all(runs)).toEqual(Array.from({ length: 20 }, (_, i) => [128, 24][i % 2]));
  });

  it.each<[string, (manifest: ReturnType<typeof diagnosisManifest>) => void, RegExp]>([
    ['batch', (m) => (m.batch = 16), /model\.onnx: the graph's input must be "features", float32 \[16, 1, 12\]/],
    ['input name', (m) => (m.input.name = 'x'), /the graph's input must be "x"/],
    ['an output', (m) => (m.outputs.probabilities = 'p'), /the graph has no output "p", float32 \[32, 4\]/],
  ])('refuses to start where graph and manifest disagree on %s', async (_, change, message) => {
    const { model, manifest } = await toyPackage();
    const { sha256: _checksum, ...unsigned } = manifest;
    const directory = await temporaryFolder();
    const altered = unsigned as ReturnType<typeof diagnosisManifest>;
    change(altered);
    await writePackage(directory, altered, model);
    await expect(startOnnxEngine({ packages: [await loadPackage(directory)], workers: 1, logger: silentLogger })).rejects.toThrow(message);
  });

  it('refuses to start with a model that is no ONNX', async () => {
    const { scaler, labels } = randomClassifier([2, 2], 1);
    const directory = await temporaryFolder();
    await writePackage(directory, diagnosisManifest(['a.mean', 'a.std'], labels, scaler, 32), new TextEncoder().encode('not a model'));
    await expect(startOnnxEngine({ packages: [await loadPackage(directory)], workers: 1, logger: silentLogger })).rejects.toThrow(/model\.onnx: /);
  });

  it('goes on with what it holds where a package cannot be loaded', async () => {
    const model = await toyPackage();
    const { scaler, labels } = randomClassifier([2, 2], 1);
    const directory = await temporaryFolder();
    await writePackage(directory, diagnosisManifest(['a.mean', 'a.std'], labels, scaler, 32), new TextEncoder().encode('not a model'));
    const onnx = await engine([model]);
    await expect(onnx.load(await loadPackage(directory))).rejects.toThrow(/model\.onnx: can't be loaded/);
    expect(onnx.packages).toEqual([model]);
    expect((await onnx.run(model, 1, (input) => input.fill(0))).outputs[0]).toHaveLength(128);
  });
});
