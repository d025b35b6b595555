import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { EngineStartError, NotLoadedError, type EngineLogger, type InferenceEngine, type RunResult } from '../engine.js';
import type { ModelPackage } from '../package.js';
import type { Device, Job, JobAnswer, Slot, WorkerModel, WorkerSetup } from './protocol.js';
import { WorkerPool } from './worker-pool.js';

export interface OnnxEngineOptions {
  readonly packages: readonly ModelPackage[];
  /** Threads; each has one session a package. Default: one less than there are cores, at least 1. */
  readonly workers?: number;
  /** Device to use, where it works; default: TensorRT or CUDA where ONNX Runtime's library for it is installed, the CPU otherwise. */
  readonly device?: Device;
  readonly logger: EngineLogger;
}

/** Times that a batch is given to a worker before it is given up. */
const ATTEMPTS = 3;
/** Memory of a slot, where more than one batch is in it. */
const SLOT_BYTES = 1 << 20;
const MOST_BATCHES = 32;

/**
 * Starts an engine of ONNX Runtime sessions in worker threads. A session's run() occupies one thread and one core.
 * @throws EngineStartError naming the package whose graph can't be loaded or does not agree with its manifest.
 */
export async function startOnnxEngine(options: OnnxEngineOptions): Promise<InferenceEngine> {
  const { packages, logger } = options;
  const workers = options.workers ?? Math.max(1, availableParallelism() - 1);
  const wanted = options.device === undefined ? installedAccelerators() : [options.device];
  const devices = [...new Set<Device>([...wanted, 'cpu'])];
  const held = packages.map((model, id) => new Held(model, id));
  const setup: WorkerSetup = { models: held.map(workerModel), devices };
  const { pool, detail: device } = await WorkerPool.start<Job, JobAnswer>({
    script: new URL('./worker.js', import.meta.url),
    workerData: setup,
    size: workers,
    attempts: ATTEMPTS,
    onDeath: (reason, jobs) => logger.warn({ reason, jobs }, 'inference worker died; another takes over its batches'),
  }).catch((error: unknown) => {
    throw new EngineStartError((error as Error).message, { cause: error });
  });
  if (device !== devices[0]) logger.warn({ wanted: devices[0], device }, `inference runs on ${device}: ${devices[0]} could not be used`);
  logger.info({ engine: 'onnx', device, workers, models: packages.map(labelOf) }, 'inference engine started');
  return new OnnxEngine(held, workers, device as Device, pool);
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
 * ONNX Runtime gives the memory of a session back only when the worker ends that it was made in. So which models are held
 * changes by replacing the workers, one after the other.
 */
class OnnxEngine implements InferenceEngine {
  readonly name = 'onnx';
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
    held: readonly Held[],
    readonly workers: number,
    readonly device: Device,
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

function workerModel({ id, model: { directory, manifest, model, outputs } }: Held): WorkerModel {
  const { input, batch } = manifest;
  return { id, label: join(directory, 'model.onnx'), model, batch, input: { name: input.name, shape: [batch, input.history, input.features.length] }, outputs };
}

/** Execution providers whose library lies beside ONNX Runtime's, best first. */
function installedAccelerators(): Device[] {
  const root = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  const folder = join(root, 'bin', 'napi-v6', process.platform, process.arch);
  return (['tensorrt', 'cuda'] as const).filter((device) => existsSync(join(folder, `libonnxruntime_providers_${device}.so`)));
}
