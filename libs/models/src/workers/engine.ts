import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { EngineStartError, NotLoadedError, type EngineLogger, type InferenceEngine, type RunResult } from '../engine.js';
import { MODEL_FILES, type EngineName } from '../manifest.js';
import { engineOf, type ModelPackage } from '../package.js';
import type { Job, JobAnswer, Slot, WorkerModel, WorkerSetup } from './protocol.js';
import { WorkerPool } from './worker-pool.js';

export interface WorkerEngineOptions {
  readonly name: EngineName;
  /** Runs `serve` with the engine's runtime. */
  readonly script: URL;
  readonly packages: readonly ModelPackage[];
  /** Threads; each holds all packages. */
  readonly workers: number;
  /** Tried in order. */
  readonly devices: readonly string[];
  readonly logger: EngineLogger;
}

/** Times that a batch is given to a worker before it is given up. */
const ATTEMPTS = 3;
/** Memory of a slot, where more than one batch is in it. */
const SLOT_BYTES = 1 << 20;
const MOST_BATCHES = 32;

/**
 * Starts an engine whose runtime works in worker threads, since it blocks the thread that it runs in.
 * @throws EngineStartError naming the package whose graph can't be loaded or does not agree with its manifest.
 */
export async function startWorkerEngine({ name, script, packages, workers, devices, logger }: WorkerEngineOptions): Promise<InferenceEngine> {
  for (const model of packages) requireEngine(name, model);
  const held = packages.map((model, id) => new Held(model, id));
  const setup: WorkerSetup = { models: held.map(workerModel), devices };
  const { pool, detail: device } = await WorkerPool.start<Job, JobAnswer>({
    script,
    workerData: setup,
    size: workers,
    attempts: ATTEMPTS,
    onDeath: (reason, jobs) => logger.warn({ reason, jobs }, 'inference worker died; another takes over its batches'),
  }).catch((error: unknown) => {
    throw new EngineStartError((error as Error).message, { cause: error });
  });
  if (device !== devices[0]) logger.warn({ wanted: devices[0], device }, `inference runs on ${device}: ${devices[0]} could not be used`);
  logger.info({ engine: name, device, workers, models: packages.map(labelOf) }, 'inference engine started');
  return new WorkerEngine(name, held, workers, device, pool);
}

function requireEngine(name: EngineName, model: ModelPackage): void {
  const own = engineOf(model.manifest);
  if (own === name) return;
  throw new EngineStartError(`${join(model.directory, 'manifest.json')}, field engine: the model is for ${own}, and the engine that runs here is ${name}; give all models of a plant the same engine.`);
}

/** A package in the engine. */
class Held {
  /** Slots that are free. */
  readonly free: Slot[] = [];
  #running = 0;
  #idle: (() => void) | undefined;

  constructor(
    readonly model: ModelPackage,
    readonly id: number,
  ) {}

  async during<T>(work: Promise<T>): Promise<T> {
    this.#running++;
    try {
      return await work;
    } finally {
      if (--this.#running === 0) this.#idle?.();
    }
  }

  async whenIdle(): Promise<void> {
    if (this.#running > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
  }
}

/**
 * Runtimes give the memory of a model back only when the worker ends that loaded it. So which models are held changes by
 * replacing the workers, one after the other.
 */
class WorkerEngine implements InferenceEngine {
  readonly #pool: WorkerPool<Job, JobAnswer>;
  readonly #held: Map<ModelPackage, Held>;
  #packages: readonly ModelPackage[];
  #ids: number;
  #slots = 0;
  /** One change after the other. */
  #change: Promise<void> = Promise.resolve();
  /** Slots that each worker has been told of. */
  readonly #known = new WeakMap<Worker, Set<number>>();

  constructor(
    readonly name: EngineName,
    held: readonly Held[],
    readonly workers: number,
    readonly device: string,
    pool: WorkerPool<Job, JobAnswer>,
  ) {
    this.#pool = pool;
    this.#held = new Map(held.map((each) => [each.model, each]));
    this.#packages = [...this.#held.keys()];
    this.#ids = held.length;
  }

  get packages(): readonly ModelPackage[] {
    return this.#packages;
  }

  mostBatches(model: ModelPackage): number {
    return Math.max(1, Math.min(MOST_BATCHES, Math.floor(SLOT_BYTES / bytesOf(model))));
  }

  async run(model: ModelPackage, batches: number, fill: (input: Float32Array) => void): Promise<RunResult> {
    const held = this.#held.get(model);
    if (held === undefined) throw new NotLoadedError(`model ${labelOf(model)} is not loaded`);
    const slot = held.free.pop() ?? this.#newSlot(held);
    const { batch } = model.manifest;
    const rows = batches * batch;
    fill(new Float32Array(slot.memory, 0, rows * model.width));
    try {
      const milliseconds = await held.during(this.#pool.run((worker) => ({ slot: slot.id, batches, ...(this.#isNew(slot, worker) && { introduce: slot }) })));
      let offset = slot.capacity * batch * model.width * 4;
      const outputs = model.outputs.map(({ width }) => {
        const output = new Float32Array(slot.memory, offset, rows * width);
        offset += slot.capacity * batch * width * 4;
        return output;
      });
      return { outputs, milliseconds };
    } finally {
      // Given back after the caller's turn with it: see RunResult.
      setImmediate(() => held.free.push(slot));
    }
  }

  load(model: ModelPackage): Promise<void> {
    return this.#changed(async () => {
      if (this.#held.has(model)) return;
      requireEngine(this.name, model);
      const held = new Held(model, this.#ids++);
      try {
        await this.#pool.replace(this.#setup([...this.#held.values(), held]));
      } catch (error) {
        throw new EngineStartError((error as Error).message, { cause: error });
      }
      this.#held.set(model, held);
      this.#packages = [...this.#held.keys()];
    });
  }

  unload(model: ModelPackage): Promise<void> {
    return this.#changed(async () => {
      const held = this.#held.get(model);
      if (held === undefined) return;
      this.#held.delete(model);
      this.#packages = [...this.#held.keys()];
      await held.whenIdle();
      await this.#pool.replace(this.#setup([...this.#held.values()]));
    });
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  #changed(change: () => Promise<void>): Promise<void> {
    const changed = this.#change.then(change);
    // Its failure is for who asked for it; the next change waits for its end only.
    this.#change = changed.catch(() => undefined);
    return changed;
  }

  /** On the device that the engine runs on already: workers must not differ in it. */
  #setup(held: readonly Held[]): WorkerSetup {
    return { models: held.map(workerModel), devices: [this.device] };
  }

  #newSlot({ model, id }: Held): Slot {
    const capacity = this.mostBatches(model);
    return { id: this.#slots++, model: id, capacity, memory: new SharedArrayBuffer(capacity * bytesOf(model)) };
  }

  #isNew({ id }: Slot, worker: Worker): boolean {
    const known = this.#known.get(worker) ?? new Set();
    this.#known.set(worker, known);
    const isNew = !known.has(id);
    known.add(id);
    return isNew;
  }
}

/** Memory that a batch takes: input and outputs. */
function bytesOf({ manifest, width, outputs }: ModelPackage): number {
  return 4 * manifest.batch * outputs.reduce((sum, output) => sum + output.width, width);
}

function labelOf({ manifest }: ModelPackage): string {
  return `${manifest.name} ${manifest.version}`;
}

function workerModel({ id, model: { directory, manifest, model, weights, outputs } }: Held): WorkerModel {
  const { input, batch } = manifest;
  const label = join(directory, MODEL_FILES[engineOf(manifest)]);
  return { id, label, model, weights, batch, input: { name: input.name, shape: [batch, input.history, input.features.length] }, outputs };
}
