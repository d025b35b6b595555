import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { loadPackage, ModelPackageError, type ModelPackage } from '../package.js';
import { fingerprint, hashFiles, SIGNATURE_FILE } from './files.js';
import { checkSignature, type TrustedKeys } from './signature.js';

/** A package that has been checked whole. */
export interface CheckedPackage {
  readonly package: ModelPackage;
  /** Identifies it: over all its files. */
  readonly sha256: string;
  /** Name of the trusted key that signed it; undefined where no keys are trusted. */
  readonly signedBy: string | undefined;
  /** Text of manifest.json. */
  readonly manifest: string;
}

/** Versions are names of folders and stand in commands. */
const VERSION = /^[0-9A-Za-z][0-9A-Za-z.+_-]{0,99}$/;

/**
 * Loads a package and checks its files, and who signed it.
 * @throws ModelPackageError
 */
export async function checkPackage(directory: string, trusted: TrustedKeys | undefined): Promise<CheckedPackage> {
  const loaded = await loadPackage(directory);
  const { version } = loaded.manifest;
  const file = join(directory, 'manifest.json');
  if (!VERSION.test(version)) throw new ModelPackageError(file, 'version', `"${version}" can't name a folder`, 'give it letters, digits and . + _ - only');
  const hashes = await hashFiles(directory);
  const signedBy = await checkSignature(directory, hashes, trusted);
  return { package: loaded, sha256: fingerprint(hashes), signedBy, manifest: await readFile(file, 'utf8') };
}

/** Packages of all versions, `<folder>/<name>/<version>`, each written once and never changed. */
export class ObjectFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  directory(name: string, version: string): string {
    return join(this.path, name, version);
  }

  /**
   * Copies a package into it; one that is there already, the same, is left as it is.
   * @throws ModelPackageError for one that is not sound, and where there is another under this name and version
   */
  async add(source: string, trusted: TrustedKeys | undefined): Promise<CheckedPackage> {
    const { package: { manifest } } = await checkPackage(source, trusted);
    const place = this.directory(manifest.name, manifest.version);
    const parts = `${place}.${randomUUID().slice(0, 8)}.part`;
    try {
      await mkdir(dirname(place), { recursive: true });
      await cp(source, parts, { recursive: true, errorOnExist: true, force: false });
      const copied = await checkPackage(parts, trusted);
      for (const file of (await hashFiles(parts)).keys()) await chmod(join(parts, file), 0o444);
      if (existsSync(join(parts, SIGNATURE_FILE))) await chmod(join(parts, SIGNATURE_FILE), 0o444);
      // A folder takes its place as a whole, and only where there is none.
      await rename(parts, place).catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
        if (fingerprint(await hashFiles(place)) !== copied.sha256) {
          throw new ModelPackageError(source, 'version', `another package is kept as ${manifest.name} ${manifest.version} in ${this.path}, and a version never changes`, 'give this one another version');
        }
      });
      return await checkPackage(place, trusted);
    } catch (error) {
      if (error instanceof ModelPackageError) throw error;
      throw new ModelPackageError(place, undefined, `the package can't be put there (${(error as NodeJS.ErrnoException).code ?? String(error)})`, 'give a folder that may be written to, with room');
    } finally {
      await rm(parts, { recursive: true, force: true });
    }
  }

  /**
   * The package of a version.
   * @throws ModelPackageError where it is not there, or not as it was
   */
  async open(name: string, version: string, trusted: TrustedKeys | undefined): Promise<CheckedPackage> {
    const directory = this.directory(name, version);
    if (!VERSION.test(version)) throw new ModelPackageError(this.path, undefined, `"${version}" is no version of ${name}`, 'give the version of a package that was put there');
    const checked = await checkPackage(directory, trusted);
    const { manifest } = checked.package;
    if (manifest.name !== name || manifest.version !== version) throw new ModelPackageError(directory, undefined, `it holds ${manifest.name} ${manifest.version}`, 'copy the folder of packages again');
    return checked;
  }
}
