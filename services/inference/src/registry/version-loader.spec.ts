import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ModelPackageError, ObjectFolder, type CheckedPackage } from '@millwright/models';
import type { Plant } from '@millwright/plant';
import { startModels, type RunningModels } from '../models.js';
import { toyPlant } from '../testing/fixtures.js';
import type { Version } from '../version.js';
import { VersionLoader } from './version-loader.js';

const NAME = 'toy-diagnosis';
let plant: Plant;
let remove: () => Promise<void>;
let models: RunningModels;
let folder: string;
let packages: CheckedPackage[];
let loader: VersionLoader;

beforeAll(async () => {
  ({ plant, remove } = await toyPlant());
  models = await startModels(plant, { workers: 1 }, { info: () => undefined, warn: () => undefined });
  folder = await mkdtemp(join(tmpdir(), 'millwright-loader-'));
  const objects = new ObjectFolder(join(folder, 'registry'));
  const source = join(folder, 'source');
  await cp(join(plant.directory, 'models', NAME), source, { recursive: true });
  const manifest = await readFile(join(source, 'manifest.json'), 'utf8');
  packages = [];
  for (let version = 1; version <= 10; version++) {
    await writeFile(join(source, 'manifest.json'), manifest.replace('"1.2.3"', `"v${version}"`));
    packages.push(await objects.add(source, undefined));
  }
  loader = new VersionLoader({ folder: objects, trusted: undefined, ...models, logger: { info: () => undefined, warn: () => undefined } });
});
afterAll(async () => {
  loader.close();
  await models.close();
  await remove();
  await rm(folder, { recursive: true, force: true });
});

const versionOf = ({ package: model, sha256 }: CheckedPackage): Version => loader.version(model, sha256);
const run = (each: CheckedPackage): Promise<readonly Float32Array[]> => versionOf(each).run(new Float32Array(each.package.width), 'alarm');
/** Versions that the engine holds beside the packages of the plant. */
const held = (): number => models.engine.packages.length - models.packages.length;

describe('versions of the registry', () => {
  it('are loaded when they are wanted, eight at a time, and again when they are wanted again', async () => {
    const [first] = await run(packages[0]!);
    for (const each of packages.slice(1)) await run(each);
    while (held() > 8) await new Promise((resolve) => setImmediate(resolve));
    expect(models.engine.packages.some(({ manifest }) => manifest.version === 'v1')).toBe(false);
    expect(models.engine.packages.some(({ manifest }) => manifest.version === 'v10')).toBe(true);
    expect((await run(packages[0]!))[0]).toEqual(first);
  });

  it('answer all, however many are wanted at once', async () => {
    const answers = await Promise.all([...packages, ...packages, ...packages.toReversed()].map(run));
    for (const [probabilities] of answers) expect(probabilities).toEqual(answers[0]![0]);
    while (held() > 8) await new Promise((resolve) => setImmediate(resolve));
  });

  it('are not run from another package than was registered', async () => {
    await expect(loader.version(packages[0]!.package, '0'.repeat(64)).run(new Float32Array(packages[0]!.package.width), 'analytics')).rejects.toThrow(
      /not the package that was registered as toy-diagnosis v1 .*; copy that one from where it was registered\.$/,
    );
  });

  it('that can not judge in the shadow are warned of once, and judge as soon as they can', async () => {
    const each = packages.at(-1)!;
    // One that holds nothing yet.
    const messages: string[] = [];
    const fresh = new VersionLoader({ folder: new ObjectFolder(join(folder, 'registry')), trusted: undefined, ...models, logger: { info: () => undefined, warn: (_, message) => void messages.push(message) } });
    const wanted = fresh.version(each.package, each.sha256);
    const asked = () => wanted.run(new Float32Array(each.package.width), 'analytics');
    const [place, away] = [join(folder, 'registry', NAME, 'v10'), join(folder, 'registry', NAME, 'away')];
    await rename(place, away);
    await expect(asked()).rejects.toThrow(ModelPackageError);
    await expect(asked()).rejects.toThrow(ModelPackageError);
    expect(messages).toEqual([expect.stringMatching(/^toy-diagnosis v10 is to judge in the shadow and can't; its windows are recorded as not judged until it can: .*v10/)]);
    await rename(away, place);
    await asked();
    expect(messages).toHaveLength(1);
    fresh.close();
  });
});
