import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import type { EngineLogger, InferenceEngine } from '../engine.js';
import type { ModelPackage } from '../package.js';
import { startWorkerEngine } from '../workers/engine.js';

export type Device = 'cpu' | 'cuda' | 'tensorrt';

export interface OnnxEngineOptions {
  readonly packages: readonly ModelPackage[];
  /** Threads; each has one session a package. Default: one less than there are cores, at least 1. */
  readonly workers?: number;
  /** Device to use, where it works; default: TensorRT or CUDA where ONNX Runtime's library for it is installed, the CPU otherwise. */
  readonly device?: Device;
  readonly logger: EngineLogger;
}

/**
 * Starts an engine of ONNX Runtime sessions in worker threads. A session's run() occupies one thread and one core.
 * @throws EngineStartError naming the package whose graph can't be loaded or does not agree with its manifest.
 */
export function startOnnxEngine({ packages, workers, device, logger }: OnnxEngineOptions): Promise<InferenceEngine> {
  const wanted = device === undefined ? installedAccelerators() : [device];
  return startWorkerEngine({
    name: 'onnx',
    script: new URL('./worker.js', import.meta.url),
    packages,
    workers: workers ?? Math.max(1, availableParallelism() - 1),
    devices: [...new Set<Device>([...wanted, 'cpu'])],
    logger,
  });
}

/** Execution providers whose library lies beside ONNX Runtime's, best first. */
function installedAccelerators(): Device[] {
  const root = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  const folder = join(root, 'bin', 'napi-v6', process.platform, process.arch);
  return (['tensorrt', 'cuda'] as const).filter((device) => existsSync(join(folder, `libonnxruntime_providers_${device}.so`)));
}
