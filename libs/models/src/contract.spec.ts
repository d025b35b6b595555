import { afterAll, describe, expect, it } from '@jest/globals';
import { logits, Random, softmax, type Network } from '@millwright/learning';
import { NotLoadedError, type InferenceEngine } from './engine.js';
import { startOnnxEngine } from './onnx/engine.js';
import type { ModelPackage } from './package.js';
import { randomClassifier, silentLogger, toyPackage } from './testing/packages.js';
import { tfjsPackage } from './testing/tfjs-packages.js';
import { startEngine } from './start.js';
import { installedTfjs, startTfjsEngine, TFJS_PACKAGES } from './tfjs/engine.js';

interface Subject {
  readonly name: string;
  /** Why it can't be tested here. */
  readonly missing?: string;
  start(packages: readonly ModelPackage[], workers: number): Promise<InferenceEngine>;
  /** A random classifier of 12 features, 16 units and 4 classes, and the network that it is made of, which sees features scaled. */
  package(seed: number): Promise<{ readonly model: ModelPackage; readonly network: Network }>;
}

const onnx: Subject = {
  name: 'onnx',
  start: (packages, workers) => startOnnxEngine({ packages, workers, logger: silentLogger }),
  package: async (seed) => ({ model: await toyPackage([12, 16, 4], seed), network: randomClassifier([12, 16, 4], seed).network }),
};
const tfjs = TFJS_PACKAGES.flatMap((use) =>
  (['layers-model', 'graph-model'] as const).map((format): Subject => ({
    name: `tfjs, ${format}, by ${use}`,
    ...(installedTfjs().includes(use) ? {} : { missing: `@tensorflow/${use} is not installed` }),
    start: (packages, workers) => startTfjsEngine({ packages, workers, use, logger: silentLogger }),
    package: (seed) => tfjsPackage(format, [12, 16, 4], seed),
  })),
);

const open: InferenceEngine[] = [];
afterAll(() => Promise.all(open.map((each) => each.close())));

/** Rows of the models' 12 features. */
function windows(count: number): Float32Array {
  const random = new Random(4);
  return Float32Array.from({ length: count * 12 }, () => 3 * random.normal());
}

describe('engines', () => {
  it('refuse packages of another engine', async () => {
    const { model } = await tfjsPackage('layers-model', [12, 16, 4], 1);
    await expect(startEngine({ packages: [await toyPackage(), model], workers: 1, logger: silentLogger })).rejects.toThrow(/field engine: the model is for tfjs, and the engine that runs here is onnx/);
    const running = await startEngine({ packages: [await toyPackage()], workers: 1, logger: silentLogger });
    open.push(running);
    await expect(running.load(model)).rejects.toThrow(/field engine/);
  });
});

describe.each([onnx, ...tfjs])('inference engine: $name', (subject) => {
  if (subject.missing !== undefined) {
    it.skip(`not tested: ${subject.missing}`, () => undefined);
    return;
  }
  const engine = async (packages: readonly ModelPackage[], workers = 1): Promise<InferenceEngine> => {
    const started = await subject.start(packages, workers);
    open.push(started);
    return started;
  };

  it('answers as the network that the model was made of', async () => {
    const { model, network } = await subject.package(1);
    const { mean, std, clip } = model.manifest.preprocessing;
    const values = windows(32);
    const scaled = values.map((value, i) => Math.max(-clip, Math.min(clip, (value - mean[i % 12]!) / std[i % 12]!)));
    const expected = softmax(logits(network, scaled, 32), 4);
    const { outputs } = await (await engine([model])).run(model, 1, (input) => input.set(values));
    expect(outputs[0]).toHaveLength(128);
    outputs[0]!.forEach((value, i) => expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-4));
  });

  it('answers several batches in one call as one by one', async () => {
    const { model } = await subject.package(1);
    const running = await engine([model]);
    const values = windows(96);
    const together = (await running.run(model, 3, (input) => input.set(values))).outputs.map((output) => output.slice());
    for (let batch = 0; batch < 3; batch++) {
      const { outputs } = await running.run(model, 1, (input) => input.set(values.subarray(batch * 32 * 12, (batch + 1) * 32 * 12)));
      model.outputs.forEach(({ width }, o) => expect(together[o]!.subarray(batch * 32 * width, (batch + 1) * 32 * width)).toEqual(outputs[o]));
    }
  });

  it('takes a package up and gives another back while batches run, and drops none', async () => {
    const [{ model: old }, { model: fresh }] = [await subject.package(1), await subject.package(2)];
    const running = await engine([old], 2);
    const answer = (model: ModelPackage): Promise<string> => running.run(model, 1, (input) => input.fill(1)).then(({ outputs }) => outputs[0]!.join());
    const [alone, other] = [await answer(old), await answer(fresh).catch((error: unknown) => error)];
    expect(other).toBeInstanceOf(NotLoadedError);
    let current = old;
    let stop = false;
    const answers: { readonly by: ModelPackage; readonly answer: string }[] = [];
    const caller = async (): Promise<void> => {
      while (!stop) {
        const by = current;
        answers.push({ by, answer: await answer(by) });
      }
    };
    const callers = Array.from({ length: 8 }, caller);
    await running.load(fresh);
    expect(running.packages).toEqual([old, fresh]);
    current = fresh;
    await running.unload(old);
    expect(running.packages).toEqual([fresh]);
    stop = true;
    await Promise.all(callers);
    const expected = await answer(fresh);
    expect(expected).not.toBe(alone);
    expect(answers.filter(({ by }) => by === old).length).toBeGreaterThan(0);
    for (const { by, answer } of answers) expect(answer).toBe(by === old ? alone : expected);
    await expect(answer(old)).rejects.toBeInstanceOf(NotLoadedError);
  });

  it('ends running batches before it closes, and refuses new ones', async () => {
    const { model } = await subject.package(1);
    const running = await engine([model]);
    const batch = running.run(model, 1, (input) => input.fill(0));
    await running.close();
    expect((await batch).outputs[0]).toHaveLength(128);
    await expect(running.run(model, 1, (input) => input.fill(0))).rejects.toThrow('the inference engine is closed');
  });
});
