import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineStartError, loadPackage, ModelPackageError, type InferenceEngine, type InferenceScheduler, type ModelPackage } from '@millwright/models';
import { failedPrecondition, notFound, unavailable } from '@millwright/shell';

export interface RepositoryOptions {
  /** Folder of packages, one folder a model. */
  readonly directory: string;
  readonly engine: InferenceEngine;
  readonly scheduler: InferenceScheduler;
}

/** States of Triton's model repository extension. */
export type ModelState = 'READY' | 'LOADING' | 'UNLOADING' | 'UNAVAILABLE';

export interface IndexEntry {
  readonly name: string;
  /** Empty where none is loaded. */
  readonly version: string;
  readonly state: ModelState;
  /** Why it is not ready. */
  readonly reason: string;
}

/** Names of the manifest; nothing else leads to a file. */
const NAME = /^[a-z0-9][a-z0-9-]*$/;

/**
 * Which packages are served by name, and the folder that they come from. What the engine was started with belongs to the
 * stream: it is served for as long as the process runs, beside newer versions where they are loaded.
 */
export class ModelRepository {
  readonly #options: RepositoryOptions;
  readonly #streams: ReadonlySet<ModelPackage>;
  /** By name, the newest last; requests without a version go there. */
  readonly #served = new Map<string, readonly ModelPackage[]>();
  readonly #changing = new Map<string, 'LOADING' | 'UNLOADING'>();
  /** Why the last load failed. */
  readonly #failures = new Map<string, string>();
  /** One change after the other. */
  #change: Promise<void> = Promise.resolve();

  constructor(options: RepositoryOptions) {
    this.#options = options;
    this.#streams = new Set(options.engine.packages);
    for (const model of this.#streams) this.#served.set(model.manifest.name, [...this.versions(model.manifest.name), model]);
  }

  /** Loaded packages of a name, the newest last. */
  versions(name: string): readonly ModelPackage[] {
    return this.#served.get(name) ?? [];
  }

  /**
   * The package that a request means.
   * @param version the newest loaded, where empty
   * @throws RpcError NOT_FOUND for a model or version that there is not, UNAVAILABLE for one that is not loaded
   */
  find(name: string, version: string): ModelPackage {
    const versions = this.versions(name);
    const model = version === '' ? versions.at(-1) : versions.findLast(({ manifest }) => manifest.version === version);
    if (model !== undefined) return model;
    if (versions.length > 0) {
      throw notFound('UNKNOWN_VERSION', `Model ${name} has no version ${version} loaded; there is ${versions.map(({ manifest }) => manifest.version).join(', ')}.`);
    }
    if (this.#changing.get(name) === 'LOADING') throw unavailable('MODEL_LOADING', `Model ${name} is being loaded; try again in a moment.`);
    if (this.#has(name)) throw unavailable('MODEL_NOT_LOADED', `Model ${name} is not loaded; load it with RepositoryModelLoad.`);
    throw notFound('UNKNOWN_MODEL', `There is no model ${name}; loaded are ${[...this.#served.keys()].join(', ') || 'none'}.`);
  }

  /** All that is in the folder or loaded. */
  async index(): Promise<readonly IndexEntry[]> {
    const names = new Set([...this.#served.keys(), ...this.#changing.keys(), ...(await this.#folders())]);
    return [...names].sort().flatMap((name): IndexEntry[] => {
      const ready = this.versions(name).map(({ manifest }): IndexEntry => ({ name, version: manifest.version, state: 'READY', reason: '' }));
      const changing = this.#changing.get(name);
      if (changing !== undefined) return [...ready, { name, version: '', state: changing, reason: '' }];
      return ready.length > 0 ? ready : [{ name, version: '', state: 'UNAVAILABLE', reason: this.#failures.get(name) ?? 'not loaded' }];
    });
  }

  /**
   * Serves the package in the model's folder as it is there now. Requests go to the version before until this one is warm;
   * those that run by then end on it, and its memory is given back.
   * @throws RpcError NOT_FOUND, FAILED_PRECONDITION where the package can't be used; what was served before still is
   */
  load(name: string): Promise<void> {
    if (!this.#has(name)) return Promise.reject(notFound('UNKNOWN_MODEL', `There is no model ${name} in the folder models beside the plant file; put its package there.`));
    return this.#changed(name, 'LOADING', async () => {
      const { engine } = this.#options;
      const before = this.versions(name);
      try {
        const read = await loadPackage(join(this.#options.directory, name));
        if (read.manifest.name !== name) {
          throw new ModelPackageError(join(read.directory, 'manifest.json'), 'name', `the folder is named ${name}, the model ${read.manifest.name}`, 'rename the folder');
        }
        const model = before.find((each) => isSame(each, read)) ?? read;
        await engine.load(model);
        const stays = before.filter((each) => this.#streams.has(each) && each !== model);
        this.#served.set(name, [...stays, model]);
        this.#failures.delete(name);
      } catch (error) {
        if (!(error instanceof ModelPackageError || error instanceof EngineStartError)) throw error;
        this.#failures.set(name, error.message);
        throw failedPrecondition('PACKAGE_UNUSABLE', `Model ${name} was not loaded: ${error.message}`);
      }
      await this.#release(before.filter((each) => !this.versions(name).includes(each)));
    });
  }

  /**
   * Refuses new requests of a model, lets those that wait and run end, and gives its memory back.
   * @throws RpcError NOT_FOUND, FAILED_PRECONDITION where the stream is judged by it
   */
  unload(name: string): Promise<void> {
    if (this.versions(name).length === 0 && !this.#has(name)) return Promise.reject(notFound('UNKNOWN_MODEL', `There is no model ${name}.`));
    return this.#changed(name, 'UNLOADING', async () => {
      const versions = this.versions(name);
      if (versions.some((each) => this.#streams.has(each))) {
        throw failedPrecondition('MODEL_IN_USE', `Model ${name} judges the stream; take it out of the plant file and start the service anew.`);
      }
      this.#served.delete(name);
      await this.#release(versions);
    });
  }

  async #release(models: readonly ModelPackage[]): Promise<void> {
    for (const model of models) await this.#options.scheduler.unload(model);
  }

  #changed(name: string, state: 'LOADING' | 'UNLOADING', change: () => Promise<void>): Promise<void> {
    const changed = this.#change.then(async () => {
      this.#changing.set(name, state);
      try {
        await change();
      } finally {
        this.#changing.delete(name);
      }
    });
    // Its failure is for who asked for it; the next change waits for its end only.
    this.#change = changed.catch(() => undefined);
    return changed;
  }

  #has(name: string): boolean {
    return NAME.test(name) && existsSync(join(this.#options.directory, name, 'manifest.json'));
  }

  async #folders(): Promise<string[]> {
    // A plant without models has no such folder.
    if (!existsSync(this.#options.directory)) return [];
    return (await readdir(this.#options.directory)).filter((name) => this.#has(name));
  }
}

/** Manifests hold the checksum of their graph. */
function isSame(a: ModelPackage, b: ModelPackage): boolean {
  return JSON.stringify(a.manifest) === JSON.stringify(b.manifest);
}
