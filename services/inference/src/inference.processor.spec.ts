import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { InferenceResult, type FeatureVector } from '@millwright/contracts';
import { Random } from '@millwright/learning';
import { InferenceScheduler, type ModelPackage } from '@millwright/models';
import type { Plant } from '@millwright/plant';
import { PoisonRecordError } from '@millwright/streams';
import { createInferenceProcessor } from './inference.processor.js';
import { startModels, type RunningModels } from './models.js';
import { contextOf, features, KIND, recordOf, toyPlant, vector } from './testing/fixtures.js';
import { play } from './testing/play.js';

const silent = { info: (): void => undefined, warn: (): void => undefined };

let plant: Plant;
let remove: () => Promise<void>;
let models: RunningModels;

beforeAll(async () => {
  ({ plant, remove } = await toyPlant());
  models = await startModels(plant, { workers: 2 }, silent);
});
afterAll(async () => {
  await models.close();
  await remove();
});

const values = async (vectors: readonly FeatureVector[], together: number, restartAt = -1): Promise<Uint8Array[]> =>
  (await play(createInferenceProcessor(plant, models), vectors, together, restartAt)).map(({ value }) => value);

const results = async (vectors: readonly FeatureVector[]): Promise<InferenceResult[]> => (await values(vectors, 1)).map((value) => InferenceResult.decode(value));
const lives = (all: readonly InferenceResult[]): (number | undefined)[] => all.filter(({ model }) => model === 'toy-life').map(({ result }) => (result?.$case === 'regression' ? result.value.value : undefined));
const speed = (k: number, value: number, changes: Partial<FeatureVector> = {}): FeatureVector => vector('P1', k, features({ 'speed.mean': value }), changes);

describe('inference processor', () => {
  it('publishes the same bytes however windows were batched, interleaved and restarted', async () => {
    const random = new Random(11);
    const vectors: FeatureVector[] = [];
    for (let k = 0; k < 60; k++) {
      for (const asset of ['P1', 'P2', 'P3']) {
        const values = features({ 'speed.mean': 3 * random.normal(), 'heat.mean': random.uniform() < 0.1 ? NaN : random.normal(), 'heat.std': random.uniform() });
        vectors.push(vector(asset, k, values, random.uniform() < 0.05 ? { missingRatio: 1 } : {}));
        if (random.uniform() < 0.1 && k > 0) vectors.push(vector(asset, k - 1, features({ 'speed.mean': random.normal() }), { revision: 1 }));
      }
    }
    const one = await values(vectors, 1);
    expect(one.length).toBeGreaterThan(300);
    expect(await values(vectors, 50)).toEqual(one);
    expect(await values(vectors, 7, 90)).toEqual(one);
    const ofOne = (values: readonly Uint8Array[]): Uint8Array[] => values.filter((value) => InferenceResult.decode(value).asset === 'P2');
    expect(await values(vectors.filter(({ asset }) => asset === 'P2'), 13)).toEqual(ofOne(one));
  });

  it('says which class, how surely, and which signals it was', async () => {
    const [result] = await results([vector('P1', 4, features({ 'speed.mean': 5, 'speed~heat.xcorr': 0.5 }), { revision: 2 })]);
    expect(result).toMatchObject({ asset: 'P1', kind: 'pump', windowStartUs: 40e6, windowEndUs: 50e6, revision: 2, model: 'toy-diagnosis', modelVersion: '1.2.3' });
    const diagnosis = result!.result?.$case === 'diagnosis' ? result!.result.value : undefined;
    expect(diagnosis!.probabilities.map(({ label }) => label)).toEqual(['fine', 'worn', 'loose']);
    const total = diagnosis!.probabilities.reduce((sum, { probability }) => sum + probability, 0);
    expect(total).toBeCloseTo(1, 5);
    const most = diagnosis!.probabilities.reduce((a, b) => (a.probability > b.probability ? a : b));
    expect(diagnosis).toMatchObject({ label: most.label, confidence: most.probability, normal: most.label === 'fine' });
    // Only speed deviates, and the correlation, which counts half for either signal.
    expect(result!.contributions.map(({ signal }) => signal)).toEqual(['speed', 'heat']);
    expect(result!.contributions.reduce((sum, { share }) => sum + Math.abs(share), 0)).toBeCloseTo(1, 5);
  });

  it('asks for no reasons while its state is rebuilt, and comes to the same state', async () => {
    let runs = 0;
    const scheduler = { submit: (...args: Parameters<InferenceScheduler['submit']>) => (runs++, models.scheduler.submit(...args)) } as InferenceScheduler;
    const played = async (isLive: boolean): Promise<{ runs: number; emitted: number; state: Uint8Array }> => {
      runs = 0;
      const processor = createInferenceProcessor(plant, { ...models, scheduler });
      const state = processor.initial('P1');
      let emitted = 0;
      for (let k = 0; k < 6; k++) emitted += (await processor.onRecord(speed(k, 5), state, { ...contextOf('P1'), isLive }, recordOf(speed(k, 5), k))).length;
      return { runs, emitted, state: processor.codec.encode(state) };
    };
    const [live, rebuilt] = [await played(true), await played(false)];
    expect({ emitted: rebuilt.emitted, state: rebuilt.state }).toEqual({ emitted: live.emitted, state: live.state });
    expect(rebuilt.runs).toBe(rebuilt.emitted);
    expect(live.runs).toBeGreaterThan(live.emitted);
  });

  it('looks back over the history that a model asks for, and has no judgement before it is there', async () => {
    const all = await results([speed(0, 1), speed(1, 2), speed(2, 6), speed(3, 7)]);
    expect(lives(all)).toEqual([3, 5]);
    const last = all.filter(({ model }) => model === 'toy-anomaly').at(-1);
    expect(last!.result).toEqual({ $case: 'anomaly', value: { score: 5.5, limit: 3 } });
    expect(all.filter(({ model }) => model === 'toy-diagnosis')).toHaveLength(4);
  });

  it('judges an amended window again, in its place', async () => {
    const all = await results([speed(0, 1), speed(1, 2), speed(2, 6), speed(3, 7), speed(2, 9, { revision: 1 }), speed(4, 2)]);
    expect(lives(all)).toEqual([3, 5, 4, 6]);
    expect(all.filter(({ model }) => model === 'toy-life').map(({ windowStartUs, revision }) => [windowStartUs / 10e6, revision])).toEqual([[2, 0], [3, 0], [2, 1], [4, 0]]);
  });

  it('ends the history at an empty window and at a gap, and has no judgement of an empty one', async () => {
    const empty = speed(3, NaN, { missingRatio: 1, silentSignals: ['speed', 'heat'] });
    expect(lives(await results([speed(0, 1), speed(1, 2), speed(2, 6), empty, speed(4, 1), speed(5, 1), speed(6, 1)]))).toEqual([3, 1]);
    expect(await results([empty])).toEqual([]);
    expect(lives(await results([speed(0, 1), speed(1, 2), speed(3, 6), speed(4, 6), speed(5, 6)]))).toEqual([6]);
  });

  it('takes missing values as the model imputes them', async () => {
    const [missing] = await results([vector('P1', 0, features({ 'speed.mean': 2, 'heat.mean': NaN }), { silentSignals: ['heat'], missingRatio: 0.5 })]);
    const [imputed] = await results([vector('P1', 0, features({ 'speed.mean': 2, 'heat.mean': 0 }))]);
    expect(missing!.result).toEqual(imputed!.result);
  });

  it('refuses features of another layout, as poison', async () => {
    const processor = createInferenceProcessor(plant, models);
    const message = speed(0, 1, { layout: 'other' });
    expect(() => processor.onRecord(message, processor.initial('P1'), contextOf('P1'), recordOf(message))).toThrow(PoisonRecordError);
    const short = { ...speed(0, 1), values: new Uint8Array(8) };
    expect(() => processor.onRecord(short, processor.initial('P1'), contextOf('P1'), recordOf(short))).toThrow(/8 bytes of values/);
    expect(() => processor.codec.decode(new Uint8Array(8), 99)).toThrow(/version 99 is not 1/);
  });
});

it('refuses vectors that are not what their record or the plant file says', () => {
  const processor = createInferenceProcessor(plant, models);
  const refused = (message: FeatureVector, key = message.asset): string => {
    try {
      processor.decode({ ...recordOf(message), key });
    } catch (error) {
      return (error as Error).message;
    }
    return 'taken';
  };
  expect(refused(speed(0, 1))).toBe('taken');
  expect(refused(speed(0, 1), 'P2')).toBe('asset: the vector is of "P1" but its record has the key "P2"; write vectors under the id of their asset');
  expect(refused(speed(0, 1, { asset: 'P9' }))).toMatch(/^asset: "P9" is not in the plant file of toy; /);
  expect(refused(speed(0, 1, { kind: 'fan' }))).toBe('kind: P1 is a pump and not a "fan"; run the features and inference services on the same plant file');
  expect(refused(speed(0, 1, { windowEndUs: 5e6 }))).toBe('features of P1: the window has 5000000 us, and those of pump have 10000000; run the features and inference services on the same plant file');
});

it('forgets the history of other windows and of models that are gone', async () => {
  const before = createInferenceProcessor(plant, models);
  const state = before.initial('P1');
  for (const message of [speed(0, 1), speed(1, 2), speed(2, 6)]) await before.onRecord(message, state, contextOf('P1'), recordOf(message));
  const kind = { ...KIND, window: { ...KIND.window, lengthUs: 20e6 } };
  const changed = { ...plant, kinds: new Map([[kind.name, kind]]), assets: new Map([...plant.assets].map(([id, asset]) => [id, { ...asset, kind }])) };
  const after = createInferenceProcessor(changed, models);
  const kept = after.codec.decode(before.codec.encode(state), after.stateVersion);
  const next = speed(3, 7, { windowStartUs: 30e6, windowEndUs: 50e6 });
  const record = recordOf(next);
  const published = (await after.onRecord(after.decode(record), kept, contextOf('P1'), record)).map(({ value }) => InferenceResult.decode(value).model);
  expect(published).toEqual(['toy-diagnosis']);
  expect([...kept.values()].map(({ windows }) => windows.length)).toEqual([1, 1, 1]);
});

describe('models and plant that do not fit', () => {
  const start = (change: (model: ModelPackage) => ModelPackage, kind = KIND): (() => unknown) => {
    const packages = models.packages.map((each) => (each.manifest.name === 'toy-diagnosis' ? change(each) : each));
    return () => createInferenceProcessor({ ...plant, kinds: new Map([[kind.name, kind]]) }, { packages, scheduler: new InferenceScheduler(models.engine) });
  };
  const altered = (model: ModelPackage, changes: object): ModelPackage => ({ ...model, manifest: { ...model.manifest, ...changes } });

  it('names model, feature and remedy where a feature is unknown', () => {
    const change = (model: ModelPackage): ModelPackage => altered(model, { input: { ...model.manifest.input, features: ['speed.mean', 'heat.meen', 'speed~heat.xcorr', 'heat.std'] } });
    expect(start(change)).toThrow(/toy-diagnosis\/manifest\.json, field input\.features\.1: kind pump has no feature heat\.meen .*heat\.mean.*; add its signal to the plant file, or train the model anew/);
  });

  it('names a model that judges other kinds, and one that is not there', () => {
    expect(start((model) => altered(model, { kinds: ['fan'] }))).toThrow(/field kinds: the model judges fan, and the plant file has it judge pump/);
    expect(start((model) => model, { ...KIND, models: ['nobody'] })).toThrow(/models\/nobody: kind pump of the plant file is judged by it, and it was not loaded/);
  });
});
