import { setTimeout as delay } from 'node:timers/promises';
import {
  ModelPackageError, NotLoadedError, type EngineLogger, type InferenceEngine, type InferencePriority, type InferenceScheduler, type ModelDescription, type ModelPackage, type ObjectFolder, type TrustedKeys,
} from '@millwright/models';
import type { Version } from '../version.js';

export interface VersionLoaderOptions {
  readonly folder: ObjectFolder;
  readonly trusted: TrustedKeys | undefined;
  readonly engine: Pick<InferenceEngine, 'load' | 'unload'>;
  readonly scheduler: Pick<InferenceScheduler, 'submit'>;
  readonly logger: EngineLogger;
}

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 30_000;
/** Versions that are loaded at a time; one more, and the one that was wanted longest ago goes. More are needed by replays alone, one after the other. */
const MOST_LOADED = 8;

/** Loads versions from the object folder when they are wanted. */
export class VersionLoader {
  readonly #options: VersionLoaderOptions;
  /** By SHA-256 of the package, the one wanted last at the end. */
  readonly #loaded = new Map<string, Promise<ModelPackage>>();
  /** Versions that could not judge in the shadow when they were asked last, by SHA-256 of the package. */
  readonly #failing = new Set<string>();
  readonly #closing = new AbortController();

  constructor(options: VersionLoaderOptions) {
    this.#options = options;
  }

  version(model: ModelDescription, sha256: string): Version {
    return {
      model,
      run: async (rows, priority) => {
        if (priority === 'alarm') return this.#run(model, sha256, rows, priority);
        try {
          const outputs = await this.#run(model, sha256, rows, priority);
          this.#failing.delete(sha256);
          return outputs;
        } catch (error) {
          this.#warnOnce(model, sha256, error);
          throw error;
        }
      },
    };
  }

  async #run({ manifest: { name, version } }: ModelDescription, sha256: string, rows: Float32Array, priority: InferencePriority): Promise<readonly Float32Array[]> {
    for (;;) {
      // Who is acted on is waited for: another's judgement in its place would be one that no replay repeats.
      const loaded = priority === 'alarm' ? await this.#patiently(name, version, sha256) : await this.load(name, version, sha256);
      try {
        return await this.#options.scheduler.submit(loaded, rows, { priority, whenFull: 'wait' });
      } catch (error) {
        // It went for another in the meantime.
        if (!(error instanceof NotLoadedError) || this.#closing.signal.aborted) throw error;
      }
    }
  }

  /** Once until it has judged again, and not for each window. */
  #warnOnce({ manifest: { name, version } }: ModelDescription, sha256: string, error: unknown): void {
    if (this.#failing.has(sha256)) return;
    this.#failing.add(sha256);
    this.#options.logger.warn({ model: name, version, err: error }, `${name} ${version} is to judge in the shadow and can't; its windows are recorded as not judged until it can: ${(error as Error).message}`);
  }

  /**
   * Loads a version, once.
   * @throws ModelPackageError, EngineError
   */
  load(name: string, version: string, sha256: string): Promise<ModelPackage> {
    let loading = this.#loaded.get(sha256);
    if (loading === undefined) {
      loading = this.#open(name, version, sha256);
      // A later attempt may find what is not there yet.
      loading.catch(() => this.#loaded.delete(sha256));
      if (this.#loaded.size >= MOST_LOADED) this.#unloadOldest();
    } else this.#loaded.delete(sha256);
    this.#loaded.set(sha256, loading);
    return loading;
  }

  #unloadOldest(): void {
    const [oldest] = this.#loaded;
    const [sha256, loading] = oldest!;
    this.#loaded.delete(sha256);
    const { engine, logger } = this.#options;
    loading.then((model) => engine.unload(model)).catch((error: unknown) => {
      logger.warn({ err: error }, `a model version that is not needed keeps its memory: ${(error as Error).message}`);
    });
  }

  close(): void {
    this.#closing.abort(new Error('the inference service is closing'));
  }

  async #open(name: string, version: string, sha256: string): Promise<ModelPackage> {
    const { folder, trusted, engine, logger } = this.#options;
    const opened = await folder.open(name, version, trusted);
    if (opened.sha256 !== sha256) {
      throw new ModelPackageError(opened.package.directory, undefined, `not the package that was registered as ${name} ${version} (${opened.sha256}, not ${sha256})`, 'copy that one from where it was registered');
    }
    if (opened.signedBy === undefined) logger.info({ model: name, version }, `${name} ${version} is loaded without a look at who signed it: MILLWRIGHT_MODEL_KEYS names no trusted keys`);
    await engine.load(opened.package);
    return opened.package;
  }

  async #patiently(name: string, version: string, sha256: string): Promise<ModelPackage> {
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
