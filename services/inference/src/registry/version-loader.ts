import { setTimeout as delay } from 'node:timers/promises';
import { ModelPackageError, type EngineLogger, type InferencePriority, type ModelDescription, type ModelPackage, type ObjectFolder, type TrustedKeys } from '@millwright/models';
import type { Version } from '../version.js';

/** Runs rows of one loaded package. */
export type RunRow = (row: Float32Array, priority: InferencePriority) => Promise<readonly Float32Array[]>;

export interface VersionLoaderOptions {
  readonly folder: ObjectFolder;
  readonly trusted: TrustedKeys | undefined;
  /** Loads a package into an engine. */
  readonly load: (model: ModelPackage) => Promise<RunRow>;
  readonly logger: EngineLogger;
}

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 30_000;

/** Loads versions from the object folder when they are first wanted, and keeps them. */
export class VersionLoader {
  readonly #options: VersionLoaderOptions;
  readonly #loaded = new Map<string, Promise<RunRow>>();
  readonly #closing = new AbortController();

  constructor(options: VersionLoaderOptions) {
    this.#options = options;
  }

  version(model: ModelDescription, sha256: string): Version {
    const { name, version } = model.manifest;
    return {
      model,
      run: async (row, priority) => {
        // Who is acted on is waited for: another's judgement in its place would be one that no replay repeats.
        const run = priority === 'alarm' ? await this.#patiently(name, version, sha256) : await this.load(name, version, sha256);
        return run(row, priority);
      },
    };
  }

  /**
   * Loads a version, once.
   * @throws ModelPackageError, EngineError
   */
  load(name: string, version: string, sha256: string): Promise<RunRow> {
    let loading = this.#loaded.get(sha256);
    if (loading === undefined) {
      loading = this.#open(name, version, sha256);
      this.#loaded.set(sha256, loading);
      // A later attempt may find what is not there yet.
      loading.catch(() => this.#loaded.delete(sha256));
    }
    return loading;
  }

  close(): void {
    this.#closing.abort(new Error('the inference service is closing'));
  }

  async #open(name: string, version: string, sha256: string): Promise<RunRow> {
    const { folder, trusted, load, logger } = this.#options;
    const opened = await folder.open(name, version, trusted);
    if (opened.sha256 !== sha256) {
      throw new ModelPackageError(opened.package.directory, undefined, `not the package that was registered as ${name} ${version} (${opened.sha256}, not ${sha256})`, 'copy that one from where it was registered');
    }
    if (opened.signedBy === undefined) logger.info({ model: name, version }, `${name} ${version} is loaded without a look at who signed it: MILLWRIGHT_MODEL_KEYS names no trusted keys`);
    return load(opened.package);
  }

  async #patiently(name: string, version: string, sha256: string): Promise<RunRow> {
    for (let wait = FIRST_RETRY_MS; ; wait = Math.min(2 * wait, LAST_RETRY_MS)) {
      try {
        return await this.load(name, version, sha256);
      } catch (error) {
        this.#options.logger.warn({ model: name, version, err: error }, `${name} ${version} is to judge and can't be loaded; its windows wait: ${(error as Error).message}`);
        await delay(wait, undefined, { signal: this.#closing.signal });
      }
    }
  }
}
