import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadPackage, writePackage } from '@millwright/models';
import { UsageError } from '../usage-error.js';
import { place, versionFor } from './package-version.js';

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'millwright-version-'))));
afterAll(() => rm(folder, { recursive: true }));

const RECIPE = { command: 'train', dataSha256: '0'.repeat(64) };

async function write(path: string, version: string, command = RECIPE.command, model = 'x'): Promise<string> {
  const one = [0];
  await writePackage(
    join(folder, path),
    {
      format: 'millwright-model/1', name: 'toy', version, description: '', task: 'anomaly', kinds: ['pump'], input: { name: 'x', features: ['a.mean'], history: 1 }, batch: 1,
      preprocessing: { impute: one, mean: one, std: [1], clip: 1 }, limit: 1, outputs: { score: 's' }, training: { data: '', dataSha256: RECIPE.dataSha256, command, metrics: {} },
    },
    Buffer.from(model),
  );
  return join(folder, path);
}

describe('version of what is trained', () => {
  it('is the first where nothing is there, stays where the same is made again, and is the next patch otherwise', async () => {
    expect(await versionFor([join(folder, 'none')], undefined, RECIPE)).toBe('1.0.0');
    const [old, newer] = [await write('old', '1.9.9'), await write('newer', '1.10.2', 'train otherwise')];
    expect(await versionFor([old], undefined, RECIPE)).toBe('1.9.9');
    expect(await versionFor([old, newer], undefined, RECIPE)).toBe('1.10.3');
    expect(await versionFor([old, newer], '3.0.0', RECIPE)).toBe('3.0.0');
    expect(await versionFor([await write('named', 'spring')], undefined, { ...RECIPE, command: 'train anew' })).toBe('1.0.0');
  });

  it('is refused where it is none, or where it was given to other content', async () => {
    const there = await write('there', '2.0.0', 'train otherwise');
    await expect(versionFor([there], '2.0', RECIPE)).rejects.toThrow(new UsageError('--version 2.0: give three whole numbers, as 1.2.0.'));
    await expect(versionFor([there], '2.0.0', RECIPE)).rejects.toThrow(new UsageError(`${there} holds toy 2.0.0 with other content, and a version is never given twice: give --version 2.0.1, or another folder with --out.`));
  });

  it('is given once: other content of the same version does not take its place, the same content changes nothing, another version does', async () => {
    const there = await write('placed', '2.0.0');
    const { manifest } = await loadPackage(there);
    await place(await write('same', '2.0.0'), there);
    expect(existsSync(join(folder, 'same'))).toBe(false);
    await expect(place(await write('other', '2.0.0', RECIPE.command, 'y'), there)).rejects.toThrow(UsageError);
    expect((await loadPackage(there)).manifest).toEqual(manifest);
    await place(await write('next', '2.0.1', RECIPE.command, 'y'), there);
    expect((await loadPackage(there)).manifest.version).toBe('2.0.1');
    expect(existsSync(join(folder, 'next'))).toBe(false);
  });
});
