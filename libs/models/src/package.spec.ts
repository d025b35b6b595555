import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { loadPackage, ModelPackageError, writePackage } from './package.js';
import { diagnosisManifest, randomClassifier, temporaryFolder, toyPackage } from './testing/packages.js';
import { tfjsPackage } from './testing/tfjs-packages.js';

/** The package of a folder after its manifest was changed. */
async function changed(change: (manifest: Record<string, unknown>) => void): Promise<Promise<unknown>> {
  const { directory } = await toyPackage();
  const file = join(directory, 'manifest.json');
  const manifest = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  change(manifest);
  await writeFile(file, JSON.stringify(manifest));
  return loadPackage(directory);
}

describe('model package', () => {
  it('comes back as it was written, and the same package has the same bytes', async () => {
    const [a, b] = [await toyPackage(), await toyPackage()];
    expect(a.manifest.name).toBe('toy');
    expect(a.width).toBe(12);
    expect(a.outputs).toEqual([
      { role: 'probabilities', name: 'probabilities', width: 4 },
      { role: 'contributions', name: 'contributions', width: 12 },
    ]);
    expect(await readFile(join(a.directory, 'manifest.json'))).toEqual(await readFile(join(b.directory, 'manifest.json')));
    expect(a.model).toEqual(b.model);
  });

  it.each<[string, (manifest: Record<string, unknown>) => void, RegExp]>([
    ['a field of the wrong type', (m) => ((m.input as { history: unknown }).history = 'ten'), /manifest\.json, field input\.history: .*number.*; correct it/],
    ['an unknown field', (m) => (m.lables = []), /lables/],
    ['an unknown task', (m) => (m.task = 'guess'), /field task/],
    ['a feature without signal', (m) => ((m.input as { features: string[] }).features[3] = 'mean'), /field input\.features\.3: expected "<signal>\.<feature>"/],
    ['a feature twice', (m) => ((m.input as { features: string[] }).features[3] = 's0.mean'), /field input\.features: "s0\.mean" stands there twice/],
    ['too few means', (m) => (m.preprocessing as { mean: number[] }).mean.pop(), /field preprocessing\.mean: 11 values for 12 features/],
    ['a normal label that is none', (m) => (m.normal = 'fine'), /field normal: "fine" is not among the labels/],
    ['another format', (m) => (m.format = 'millwright-model/2'), /field format/],
  ])('refuses %s in one sentence with file, field and remedy', async (_, change, message) => {
    const error: unknown = await changed(change).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(ModelPackageError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toContain('\n');
  });

  it('refuses a model that was changed after the manifest was written', async () => {
    const { directory } = await toyPackage();
    const file = join(directory, 'model.onnx');
    const bytes = await readFile(file);
    bytes[bytes.length >> 1]! ^= 1;
    await writeFile(file, bytes);
    await expect(loadPackage(directory)).rejects.toThrow(/field sha256: .*changed or only partly copied; copy the whole package again/);
  });

  it('refuses a folder without package, and a manifest that is no JSON', async () => {
    await expect(loadPackage('/nowhere')).rejects.toThrow(/manifest\.json: can't be read \(ENOENT\); put the whole package there, a folder with manifest\.json and model\.onnx/);
    const { directory } = await toyPackage();
    await writeFile(join(directory, 'manifest.json'), '{ "name": ');
    await expect(loadPackage(directory)).rejects.toThrow(/manifest\.json: not JSON/);
  });

  it('does not write what would not load', async () => {
    const { scaler, labels } = randomClassifier([2, 2], 1);
    const manifest = { ...diagnosisManifest(['a.mean', 'a.std'], labels, scaler, 32), normal: 'fine' };
    await expect(writePackage(await temporaryFolder(), manifest, new Uint8Array())).rejects.toThrow(/field normal/);
  });

  it('checks the files of weights of a TensorFlow.js model, too', async () => {
    const { model } = await tfjsPackage('layers-model', [12, 4], 1);
    expect([...model.weights.keys()]).toEqual(['weights.bin']);
    await writeFile(join(model.directory, 'weights.bin'), 'other');
    await expect(loadPackage(model.directory)).rejects.toThrow(/manifest\.json, field weights\.weights\.bin: .*only partly copied/);
  });
});
