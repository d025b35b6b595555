import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InferenceResult, type Diagnosis, type FeatureVector } from '@millwright/contracts';
import { Random } from '@millwright/learning';
import type { Plant } from '@millwright/plant';
import { filterWindow, filterWindows, initialBelief } from '@millwright/signal';
import type { Emission } from '@millwright/streams';
import { createInferenceProcessor } from './inference.processor.js';
import { startModels, type RunningModels } from './models.js';
import { features, toyPlant, vector } from './testing/fixtures.js';
import { play } from './testing/play.js';

const MODEL = 'toy-diagnosis';
const FILTER = { change: 0.05, evidence: 0.4 };
const LABELS = 3;

let plant: Plant;
let remove: () => Promise<void>;
let running: RunningModels;

beforeAll(async () => {
  ({ plant, remove } = await toyPlant());
  const file = join(plant.directory, 'models', MODEL, 'manifest.json');
  await writeFile(file, JSON.stringify({ ...(JSON.parse(await readFile(file, 'utf8')) as object), filter: FILTER }));
  running = await startModels(plant, { workers: 1, device: 'cpu' }, { info: () => undefined, warn: () => undefined });
});
afterAll(async () => {
  await running.close();
  await remove();
});

const random = new Random(6);
const window = (asset: string, k: number, changes: Partial<FeatureVector> = {}): FeatureVector => vector(asset, k, features({ 'speed.mean': 2 * random.normal(), 'heat.mean': random.normal(), 'heat.std': random.normal() }), changes);

interface Said extends Diagnosis {
  readonly k: number;
}

const diagnoses = (emissions: readonly Emission[], asset: string): Said[] =>
  emissions
    .map(({ value }) => InferenceResult.decode(value))
    .filter((each) => each.asset === asset && each.model === MODEL)
    .flatMap(({ windowStartUs, result }) => (result?.$case === 'diagnosis' ? [{ k: windowStartUs / 10e6, ...result.value }] : []));

const filtered = ({ probabilities }: Said): number[] => probabilities.map(({ probability }) => probability);

/** What was published is rounded to a millionth. */
function expectNear(actual: readonly number[], wanted: Float64Array): void {
  actual.forEach((each, i) => expect(Math.abs(each - wanted[i]!)).toBeLessThan(1e-6));
}

describe('a package with a filter', () => {
  it('says of each window what follows from all before it, and anew after a gap', async () => {
    const vectors = Array.from({ length: 40 }, (_, k) => window('P1', k, k === 12 ? { missingRatio: 1 } : {})).filter((_, k) => k !== 25);
    const all = diagnoses(await play(createInferenceProcessor(plant, running), vectors), 'P1');
    expect(all).toHaveLength(38);
    for (const stretch of [all.slice(0, 12), all.slice(12, 24), all.slice(24)]) {
      const wanted = filterWindows(stretch.flatMap(({ ofWindow }) => ofWindow), LABELS, 0, FILTER);
      stretch.forEach((each, i) => expectNear(filtered(each), wanted.subarray(i * LABELS, (i + 1) * LABELS)));
    }
    for (const each of all) {
      const best = Math.max(...filtered(each));
      expect([each.confidence, filtered(each)[each.probabilities.findIndex(({ label }) => label === each.label)]]).toEqual([best, best]);
    }
    // It does something: now and then it sees another than the window alone shows.
    expect(all.some((each) => each.ofWindow.indexOf(Math.max(...each.ofWindow)) !== filtered(each).indexOf(Math.max(...filtered(each))))).toBe(true);
  });

  it('judges an amended window after what was believed before it, and lets later judgements stand', async () => {
    const emissions = await play(createInferenceProcessor(plant, running), [window('P1', 0), window('P1', 1), window('P1', 2), window('P1', 1, { revision: 1 }), window('P1', 3)], 5);
    const [first, second, third, amended, fourth] = diagnoses(emissions, 'P1') as [Said, Said, Said, Said, Said];
    const after = (before: Float64Array, { ofWindow }: Said): Float64Array => filterWindow(before, ofWindow, FILTER);
    const believed = after(initialBelief(LABELS, 0), first);
    expectNear(filtered(amended), after(believed, amended));
    expectNear(filtered(fourth), after(after(after(believed, second), third), fourth));
  });

  it('says the same however windows were batched, and with its state carried over', async () => {
    const vectors = Array.from({ length: 30 }, (_, k) => ['P1', 'P2'].flatMap((asset) => [window(asset, k), ...(k % 7 === 3 ? [window(asset, k - 1, { revision: 1 })] : [])])).flat();
    const one = await play(createInferenceProcessor(plant, running), vectors);
    for (const [together, restartAt] of [[5, -1], [1, 31], [16, 32], [1000, -1]] as const) expect(await play(createInferenceProcessor(plant, running), vectors, together, restartAt)).toEqual(one);
  });
});
