import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import type { EngineLogger, InferenceEngine } from '../engine.js';
import type { ModelPackage } from '../package.js';
import type { Device, Job, WorkerModel, WorkerSetup } from './protocol.js';
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

/**
 * Starts an engine of ONNX Runtime sessions in worker threads. A session's run() occupies one thread and one core.
 * @throws EngineError naming the package whose graph can't be loaded or does not agree with its manifest.
 */
export async function startOnnxEngine(options: OnnxEngineOptions): Promise<InferenceEngine> {
  const { packages, logger } = options;
  const workers = options.workers ?? Math.max(1, availableParallelism() - 1);
  const wanted = options.device === undefined ? installedAccelerators() : [options.device];
  const setup: WorkerSetup = { models: packages.map(workerModel), devices: [...new Set<Device>([...wanted, 'cpu'])] };
  const { pool, detail: device } = await WorkerPool.start<Job, ArrayBuffer>({
    script: new URL('./worker.js', import.meta.url),
    workerData: setup,
    size: workers,
    attempts: ATTEMPTS,
    onDeath: (reason, jobs) => logger.warn({ reason, jobs }, 'inference worker died; another takes over its batches'),
  });
  if (device !== setup.devices[0]) logger.warn({ wanted: setup.devices[0], device }, `inference runs on ${device}: ${setup.devices[0]} could not be used`);
  logger.info({ engine: 'onnx', device, workers, models: packages.map(labelOf) }, 'inference engine started');
  return new OnnxEngine(packages, workers, device, pool);
}

class OnnxEngine implements InferenceEngine {
  readonly name = 'onnx';
  readonly #pool: WorkerPool<Job, ArrayBuffer>;
  /** Batch buffers that are at home, by model. */
  readonly #buffers: ArrayBuffer[][];

  constructor(
    readonly packages: readonly ModelPackage[],
    readonly workers: number,
    readonly device: string,
    pool: WorkerPool<Job, ArrayBuffer>,
  ) {
    this.#pool = pool;
    this.#buffers = packages.map(() => []);
  }

  async run(model: ModelPackage, fill: (input: Float32Array) => void): Promise<readonly Float32Array[]> {
    const index = this.packages.indexOf(model);
    const batch = model.manifest.batch;
    const free = this.#buffers[index]!;
    const buffer = await this.#pool.run(() => {
      const job = free.pop() ?? new ArrayBuffer(bytesOf(model));
      fill(new Float32Array(job, 0, batch * model.width));
      return { job: { model: index, buffer: job }, transfer: [job] };
    });
    let offset = batch * model.width * 4;
    const outputs = model.outputs.map(({ width }) => {
      const output = new Float32Array(buffer, offset, batch * width);
      offset += batch * width * 4;
      return output;
    });
    // Given back after the caller's turn with it: see InferenceEngine.run.
    setImmediate(() => free.push(buffer));
    return outputs;
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}

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
