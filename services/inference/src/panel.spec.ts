import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { InferenceResult, ShadowFailure, ShadowResult, TOPICS, type FeatureVector } from '@millwright/contracts';
import { Random } from '@millwright/learning';
import { isCanaryAsset, ModelPackageError, Timeline, type Change } from '@millwright/models';
import type { Plant } from '@millwright/plant';
import type { Emission } from '@millwright/streams';
import { createInferenceProcessor } from './inference.processor.js';
import { startModels, type RunningModels } from './models.js';
import { Comparisons } from './registry/comparison.js';
import { features, toyPlant, vector } from './testing/fixtures.js';
import { play } from './testing/play.js';
import type { Version, VersionSource } from './version.js';

let plant: Plant;
let remove: () => Promise<void>;
let models: RunningModels;

beforeAll(async () => {
  ({ plant, remove } = await toyPlant());
  models = await startModels(plant, { workers: 1 }, { info: () => undefined, warn: () => undefined });
});
afterAll(async () => {
  await models.close();
  await remove();
});

/** The package of a model, as if it were another version of it. */
function again(name: string, version: string): Version {
  const model = models.packages.find(({ manifest }) => manifest.name === name)!;
  return { model: { ...model, directory: `${name}/${version}`, manifest: { ...model.manifest, version } }, run: (row, priority) => models.scheduler.submit(model, row, { priority, whenFull: 'wait' }) };
}

/** Versions of one model by a timeline. */
function source(timeline: Timeline, versions: readonly Version[]): VersionSource {
  const of = (version: string): Version => versions.find(({ model }) => model.manifest.version === version)!;
  return {
    at: (name, asset, endUs) => {
      if (name !== timeline.history.name) return { acting: undefined, shadows: [] };
      const { production, canary, shadows } = timeline.at(endUs);
      const acting = canary !== undefined && isCanaryAsset(name, asset, canary.share) ? canary.version : production;
      return { acting: acting === undefined ? undefined : of(acting), shadows: shadows.map(of) };
    },
  };
}

function timeline(name: string, changes: readonly Partial<Change>[]): Timeline {
  return changes.reduce<Timeline>(
    (before, change, i) =>
      before.with({ name, version: '2', stage: 'candidate', revision: i + 1, id: 'x', by: 'Ada', reason: 'x', changedUs: 0, effectiveUs: 0, share: 0, rollback: false, packageSha256: '', signedBy: '', manifest: '', ...change }),
    Timeline.empty(name),
  );
}
const registered = { packageSha256: 'x', manifest: '{}' };

const judged = (versions: VersionSource, vectors: readonly FeatureVector[], together = 1, restartAt = -1): Promise<Emission[]> =>
  play(createInferenceProcessor(plant, { ...models, versions }), vectors, together, restartAt);

const acted = (emissions: readonly Emission[], name: string): InferenceResult[] =>
  emissions.filter(({ topic }) => topic === TOPICS.inferences.name).map(({ value }) => InferenceResult.decode(value)).filter(({ model }) => model === name);
const shadowed = (emissions: readonly Emission[]): ShadowResult[] => emissions.filter(({ topic }) => topic === TOPICS.shadows.name).map(({ value }) => ShadowResult.decode(value));
const speed = (asset: string, k: number, changes: Partial<FeatureVector> = {}): FeatureVector => vector(asset, k, features({ 'speed.mean': k }), changes);

describe('versions by event time', () => {
  it('a version that looks back goes on where the one before was, and an amended window is judged by who judged it', async () => {
    // From window 5 on (it ends at 60 s) version 2.
    const versions = source(timeline('toy-life', [registered, { stage: 'production', effectiveUs: 50e6 }]), [again('toy-life', '2')]);
    const vectors = [...[0, 1, 2, 3, 4, 5].map((k) => speed('P1', k)), speed('P1', 4, { revision: 1 }), speed('P1', 5, { revision: 1 }), speed('P1', 6)];
    const lives = acted(await judged(versions, vectors), 'toy-life');
    const packaged = models.packages.find(({ manifest }) => manifest.name === 'toy-life')!.manifest.version;
    expect(lives.map(({ windowEndUs, modelVersion }) => [windowEndUs / 10e6 - 1, modelVersion])).toEqual([[2, packaged], [3, packaged], [4, packaged], [5, '2'], [4, packaged], [5, '2'], [6, '2']]);
    // The same numbers as without the change: it is the same graph.
    const plain = acted(await judged({ at: () => ({ acting: undefined, shadows: [] }) }, vectors), 'toy-life');
    expect(lives.map(({ result }) => result)).toEqual(plain.map(({ result }) => result));
  });

  it('a canary judges its share of the assets, the others are judged by production, each by one', async () => {
    const share = 0.5;
    const versions = source(timeline('toy-diagnosis', [registered, { stage: 'canary', share }]), [again('toy-diagnosis', '2')]);
    const assets = ['P1', 'P2', 'P3'];
    const results = acted(await judged(versions, assets.map((asset) => speed(asset, 1))), 'toy-diagnosis');
    expect(results.map(({ asset, modelVersion }) => [asset, modelVersion === '2'])).toEqual(assets.map((asset) => [asset, isCanaryAsset('toy-diagnosis', asset, share)]));
    expect(new Set(results.map(({ modelVersion }) => modelVersion)).size).toBe(2);
  });

  it.each([
    ['package', new ModelPackageError('model.onnx', undefined, 'not there', 'put it there'), ShadowFailure.PACKAGE],
    ['engine', new Error('out of memory'), ShadowFailure.ENGINE],
  ])('a shadow that can not be run for its %s holds nothing up, and its record says so', async (_, error, failure) => {
    const broken: Version = { ...again('toy-diagnosis', '2'), run: () => Promise.reject(error) };
    const emissions = await judged(source(timeline('toy-diagnosis', [registered, { stage: 'shadow' }]), [broken]), [speed('P1', 1)]);
    const [production, ...others] = acted(emissions, 'toy-diagnosis');
    expect(others).toEqual([]);
    const [result, ...more] = shadowed(emissions);
    expect(more).toEqual([]);
    expect(result).toEqual({ production, failure, shadow: { ...production, modelVersion: '2', result: undefined, contributions: [] } });
    const compared = new Comparisons();
    compared.add(result!);
    expect(compared.list()).toMatchObject([{ version: '2', windows: 0, alone: 0, failures: 1 }]);
  });

  it('gives the same bytes however windows were batched and restarted', async () => {
    const changes = [
      registered, { ...registered, version: '3' }, { stage: 'shadow', effectiveUs: 20e6 }, { version: '3', stage: 'shadow', effectiveUs: 50e6 },
      { stage: 'canary', share: 0.5, effectiveUs: 90e6 }, { stage: 'production', effectiveUs: 130e6 }, { version: '', stage: 'production', rollback: true, effectiveUs: 200e6 },
    ] as const;
    const versions = source(timeline('toy-life', changes), [again('toy-life', '2'), again('toy-life', '3')]);
    const random = new Random(5);
    const vectors: FeatureVector[] = [];
    for (let k = 0; k < 30; k++) {
      for (const asset of ['P1', 'P2', 'P3']) {
        vectors.push(vector(asset, k, features({ 'speed.mean': random.normal() }), random.uniform() < 0.05 ? { missingRatio: 1 } : {}));
        if (random.uniform() < 0.2 && k > 0) vectors.push(vector(asset, k - 1, features({ 'speed.mean': random.normal() }), { revision: 1 }));
      }
    }
    const one = await judged(versions, vectors);
    expect(shadowed(one).length).toBeGreaterThan(20);
    for (const [together, restartAt] of [[7, -1], [1, 31], [16, 64], [1000, -1]] as const) expect(await judged(versions, vectors, together, restartAt)).toEqual(one);
  });
});
