import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { EngineStartError, type EngineLogger, type InferenceEngine, type RunResult } from '../engine.js';
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
  const setup: WorkerSetup = { models: packages.map(workerModel), devices: [...new Set<Device>([...wanted, 'cpu'])] };
  const { pool, detail: device } = await WorkerPool.start<Job, JobAnswer>({
    script: new URL('./worker.js', import.meta.url),
    workerData: setup,
    size: workers,
    attempts: ATTEMPTS,
    onDeath: (reason, jobs) => logger.warn({ reason, jobs }, 'inference worker died; another takes over its batches'),
  }).catch((error: unknown) => {
    throw new EngineStartError((error as Error).message, { cause: error });
  });
  if (device !== setup.devices[0]) logger.warn({ wanted: setup.devices[0], device }, `inference runs on ${device}: ${setup.devices[0]} could not be used`);
  logger.info({ engine: 'onnx', device, workers, models: packages.map(labelOf) }, 'inference engine started');
  return new OnnxEngine(packages, workers, device, pool);
}

class OnnxEngine implements InferenceEngine {
  readonly name = 'onnx';
  readonly #pool: WorkerPool<Job, JobAnswer>;
  /** Slots that are free, by model. */
  readonly #free: Slot[][];
  #slots = 0;
  /** Slots that each worker has been told of. */
  readonly #known = new WeakMap<Worker, Set<number>>();

  constructor(
    readonly packages: readonly ModelPackage[],
    readonly workers: number,
    readonly device: string,
    pool: WorkerPool<Job, JobAnswer>,
  ) {
    this.#pool = pool;
    this.#free = packages.map(() => []);
  }

  mostBatches(model: ModelPackage): number {
    return Math.max(1, Math.min(MOST_BATCHES, Math.floor(SLOT_BYTES / bytesOf(model))));
  }

  async run(model: ModelPackage, batches: number, fill: (input: Float32Array) => void): Promise<RunResult> {
    const index = this.packages.indexOf(model);
    const slot = this.#free[index]!.pop() ?? this.#newSlot(model, index);
    const { batch } = model.manifest;
    const rows = batches * batch;
    fill(new Float32Array(slot.memory, 0, rows * model.width));
    try {
      const milliseconds = await this.#pool.run((worker) => ({ slot: slot.id, batches, ...(this.#isNew(slot, worker) && { introduce: slot }) }));
      let offset = slot.capacity * batch * model.width * 4;
      const outputs = model.outputs.map(({ width }) => {
        const output = new Float32Array(slot.memory, offset, rows * width);
        offset += slot.capacity * batch * width * 4;
        return output;
      });
      return { outputs, milliseconds };
    } finally {
      // Given back after the caller's turn with it: see RunResult.
      setImmediate(() => this.#free[index]!.push(slot));
    }
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  #newSlot(model: ModelPackage, index: number): Slot {
    const capacity = this.mostBatches(model);
    return { id: this.#slots++, model: index, capacity, memory: new SharedArrayBuffer(capacity * bytesOf(model)) };
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

function workerModel({ directory, manifest, model, outputs }: ModelPackage): WorkerModel {
  const { input, batch } = manifest;
  return { label: join(directory, 'model.onnx'), model, batch, input: { name: input.name, shape: [batch, input.history, input.features.length] }, outputs };
}

/** Execution providers whose library lies beside ONNX Runtime's, best first. */
function installedAccelerators(): Device[] {
  const root = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  const folder = join(root, 'bin', 'napi-v6', process.platform, process.arch);
  return (['tensorrt', 'cuda'] as const).filter((device) => existsSync(join(folder, `libonnxruntime_providers_${device}.so`)));
}
