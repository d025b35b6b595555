import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InferenceResult, TOPICS } from '@millwright/contracts';
import { Random } from '@millwright/learning';
import { loadPackage, type DiagnosisManifest } from '@millwright/models';
import type { Plant } from '@millwright/plant';
import { createInferenceProcessor } from './inference.processor.js';
import { startModels, type RunningModels } from './models.js';
import { contextOf, features, recordOf, toyPlant, vector } from './testing/fixtures.js';
import { NO_REGISTRY, type Version } from './version.js';

const NAME = 'toy-diagnosis';
let plant: Plant;
let remove: () => Promise<void>;
let models: RunningModels;
let silent: Version;

beforeAll(async () => {
  ({ plant, remove } = await toyPlant());
  models = await startModels(plant, { workers: 1 }, { info: () => undefined, warn: () => undefined });
  const folder = join(plant.directory, 'silent');
  await cp(join(plant.directory, 'models', NAME), folder, { recursive: true });
  const manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as DiagnosisManifest;
  await writeFile(join(folder, 'manifest.json'), JSON.stringify({ ...manifest, version: '2', outputs: { probabilities: 'probabilities' } }));
  const model = await loadPackage(folder);
  await models.engine.load(model);
  silent = { model, run: (rows, priority) => models.scheduler.submit(model, rows, { priority, whenFull: 'wait' }) };
});
afterAll(async () => {
  await models.close();
  await rm(join(plant.directory, 'silent'), { recursive: true, force: true });
  await remove();
});

/** Probability of each class for one row, asked for by itself. */
const ask = async (row: readonly number[]): Promise<Float32Array> => (await silent.run(Float32Array.from(row), 'alarm'))[0]!;

describe('a model whose graph does not say why', () => {
  it('is asked again without each signal where it finds a fault, and only there', async () => {
    const processor = createInferenceProcessor(plant, { ...models, versions: { at: (name) => (name === NAME ? { acting: silent, shadows: [] } : NO_REGISTRY.at('', '', 0)) } });
    const random = new Random(21);
    let faults = 0;
    for (let k = 0; k < 40; k++) {
      const [speed, heat, both, spread] = [random.normal(), random.normal(), random.normal(), random.normal()].map((value) => Math.fround(2 * value)) as [number, number, number, number];
      const message = vector('P1', k, features({ 'speed.mean': speed, 'heat.mean': heat, 'speed~heat.xcorr': both, 'heat.std': spread }));
      const record = recordOf(message, k);
      const emissions = await processor.onRecord(processor.decode(record), processor.initial('P1'), contextOf('P1'), record);
      const { contributions, result } = emissions.filter(({ topic }) => topic === TOPICS.inferences.name).map(({ value }) => InferenceResult.decode(value)).find(({ model }) => model === NAME)!;
      if (result?.$case !== 'diagnosis') throw new Error('no diagnosis');
      if (result.value.normal) {
        expect(contributions).toEqual([]);
        continue;
      }
      faults++;
      const at = ['fine', 'worn', 'loose'].indexOf(result.value.label);
      const whole = (await ask([speed, heat, both, spread]))[at]!;
      const lost = { speed: whole - (await ask([NaN, heat, NaN, spread]))[at]!, heat: whole - (await ask([speed, NaN, NaN, NaN]))[at]! };
      const total = Math.abs(lost.speed) + Math.abs(lost.heat);
      for (const { signal, share } of contributions) expect(share).toBeCloseTo(lost[signal as 'speed' | 'heat'] / total, 2);
      expect(contributions.map(({ signal }) => signal).sort()).toEqual(['heat', 'speed']);
    }
    expect(faults).toBeGreaterThan(5);
    expect(faults).toBeLessThan(40);
  });
});
