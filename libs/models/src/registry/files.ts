import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ModelPackageError } from '../package.js';

/** The file that says who stands for a package; all others are what they stand for. */
export const SIGNATURE_FILE = 'signature.json';

/** SHA-256 of each file of a package but its signature, by path within it, sorted. */
export type FileHashes = ReadonlyMap<string, string>;

/**
 * Hashes a package's files.
 * @throws ModelPackageError where it can't be read, or holds something that is neither file nor folder
 */
export async function hashFiles(directory: string): Promise<FileHashes> {
  const hashes: [string, string][] = [];
  const walk = async (folder: string): Promise<void> => {
    const path = join(directory, folder);
    const entries = await readdir(path, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
      throw new ModelPackageError(path, undefined, `can't be read (${error.code ?? String(error)})`, 'give the folder of a model package');
    });
    for (const entry of entries) {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (name === SIGNATURE_FILE) continue;
      if (entry.isDirectory()) await walk(name);
      else if (entry.isFile()) hashes.push([name, createHash('sha256').update(await readFile(join(directory, name))).digest('hex')]);
      else throw new ModelPackageError(join(directory, name), undefined, 'neither a file nor a folder', 'a package holds its files themselves, no links');
    }
  };
  await walk('');
  return new Map(hashes.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** One line a file, as `sha256sum` prints them. */
export const hashLines = (hashes: FileHashes): string => [...hashes].map(([name, hash]) => `${hash}  ${name}\n`).join('');

/** What identifies a package: the SHA-256 of the lines of its files. */
export const fingerprint = (hashes: FileHashes): string => createHash('sha256').update(hashLines(hashes)).digest('hex');
