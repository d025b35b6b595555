import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { EngineStartError, type EngineLogger, type InferenceEngine } from '../engine.js';
import type { ModelPackage } from '../package.js';
import { startWorkerEngine } from '../workers/engine.js';

/** Packages of TensorFlow.js under @tensorflow, fastest first. None is a dependency: install the one that the machine can use. */
export const TFJS_PACKAGES = ['tfjs-node-gpu', 'tfjs-node', 'tfjs'] as const;
export type TfjsPackage = (typeof TFJS_PACKAGES)[number];

export interface TfjsEngineOptions {
  readonly packages: readonly ModelPackage[];
  /** Threads; each loads every package. Default: one less than there are cores, at least 1. */
  readonly workers?: number;
  /** Which to use; default: the first installed that works. */
  readonly use?: TfjsPackage;
  readonly logger: EngineLogger;
}

/** Those that are installed, fastest first. */
export function installedTfjs(): TfjsPackage[] {
  const require = createRequire(import.meta.url);
  return TFJS_PACKAGES.filter((name) => {
    try {
      require.resolve(`@tensorflow/${name}/package.json`);
      return true;
    } catch {
      // That it can't be resolved is the answer.
      return false;
    }
  });
}

/**
 * Starts an engine of TensorFlow.js models in worker threads.
 * @throws EngineStartError where TensorFlow.js is not installed, or naming the package that can't be loaded or does not agree with its manifest
 */
export async function startTfjsEngine({ packages, workers, use, logger }: TfjsEngineOptions): Promise<InferenceEngine> {
  const devices = installedTfjs().filter((name) => use === undefined || name === use);
  if (devices.length === 0) {
    throw new EngineStartError(`TensorFlow.js is needed by ${packages.map(({ directory }) => directory).join(', ')} and not installed: npm install @tensorflow/${use ?? 'tfjs-node'}, or convert the models to ONNX.`);
  }
  return startWorkerEngine({ name: 'tfjs', script: new URL('./worker.js', import.meta.url), packages, workers: workers ?? Math.max(1, availableParallelism() - 1), devices, logger });
}
