import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describeModel, type Manifest } from '@millwright/models';
import { UsageError } from '../usage-error.js';

const FIRST = '1.0.0';
const SEMVER = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$/;

/** What decides what is in a package, its version aside. */
export interface Recipe {
  readonly command: string;
  readonly dataSha256: string;
}

/**
 * The version that packages of a training get: the one asked for; else the one that is there where that was made the same way, the next
 * patch after the newest that is there where it was not, and 1.0.0 where none is there.
 * @param folders of the packages, which need not be there
 * @throws UsageError where the version asked for is none, or is there already and was made another way
 * @throws ModelPackageError where what is there is no package
 */
export async function versionFor(folders: readonly string[], asked: string | undefined, recipe: Recipe): Promise<string> {
  if (asked !== undefined && !SEMVER.test(asked)) throw new UsageError(`--version ${asked}: give three whole numbers, as 1.2.0.`);
  const there: { readonly folder: string; readonly manifest: Manifest }[] = [];
  for (const folder of folders) {
    const manifest = await manifestIn(folder);
    if (manifest !== undefined) there.push({ folder, manifest });
  }
  const others = there.filter(({ manifest: { training } }) => training.command !== recipe.command || training.dataSha256 !== recipe.dataSha256);
  const next = nextPatch(there.map(({ manifest }) => manifest.version));
  if (asked === undefined) return others.length === 0 && there.length > 0 ? there[0]!.manifest.version : next;
  const taken = others.find(({ manifest }) => manifest.version === asked);
  if (taken !== undefined) throw refusal(taken.folder, taken.manifest, next);
  return asked;
}

/**
 * Puts a package that was written somewhere else in its place; one that is there already with the same bytes stays as it is.
 * @throws UsageError where one of the same version is there with other content
 */
export async function place(from: string, folder: string): Promise<void> {
  const text = (path: string): Promise<string> => readFile(join(path, 'manifest.json'), 'utf8');
  const before = await manifestIn(folder);
  const { version } = describeModel(from, await text(from)).manifest;
  if (before?.version === version) {
    // The manifest has the checksum of the model.
    if ((await text(folder)) !== (await text(from))) throw refusal(folder, before, nextPatch([version]));
    await rm(from, { recursive: true });
    return;
  }
  await rm(folder, { recursive: true, force: true });
  await mkdir(dirname(folder), { recursive: true });
  await rename(from, folder);
}

async function manifestIn(folder: string): Promise<Manifest | undefined> {
  const file = join(folder, 'manifest.json');
  return existsSync(file) ? describeModel(folder, await readFile(file, 'utf8')).manifest : undefined;
}

const refusal = (folder: string, { name, version }: Manifest, next: string): UsageError => new UsageError(`${folder} holds ${name} ${version} with other content, and a version is never given twice: give --version ${next}, or another folder with --out.`);

/** The next patch after the newest. */
function nextPatch(versions: readonly string[]): string {
  const numbers = versions.flatMap((version) => {
    const parts = SEMVER.exec(version);
    return parts === null ? [] : [parts.slice(1).map(Number)];
  });
  const newest = numbers.sort((a, b) => b[0]! - a[0]! || b[1]! - a[1]! || b[2]! - a[2]!)[0];
  return newest === undefined ? FIRST : `${newest[0]}.${newest[1]}.${newest[2]! + 1}`;
}
