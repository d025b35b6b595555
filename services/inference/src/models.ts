import { InferenceScheduler, loadPackage, startEngine, type EngineLogger, type InferenceEngine, type ModelPackage, type ScheduledRun } from '@millwright/models';
import type { Plant } from '@millwright/plant';
import { packageDirectory } from './judge.js';
import type { InferenceModels } from './inference.processor.js';

/** Settings of the inference service. */
export interface InferenceSettings {
  /** Inference threads; default: one less than there are cores, at least 1. */
  readonly workers?: number;
  /** Of ONNX Runtime; default: TensorRT or CUDA where installed, the CPU otherwise. */
  readonly device?: 'cpu' | 'cuda' | 'tensorrt';
  /** Folder of the packages of registered models; default: as the environment says (registryFolder). */
  readonly registryFolder?: string;
  /** File of the public keys that packages must be signed with; without it they need no signature. */
  readonly trustedKeysFile?: string;
}

/** Models at work: close ends the engine. */
export interface RunningModels extends InferenceModels {
  readonly engine: InferenceEngine;
  close(): Promise<void>;
}

/**
 * Loads the packages that the plant's kinds name, from models/ beside the plant file, and starts the engine.
 * @param onRun told of each call of the engine
 * @throws ModelPackageError, EngineStartError
 */
export async function startModels(plant: Plant, settings: InferenceSettings, logger: EngineLogger, onRun?: (run: ScheduledRun) => void): Promise<RunningModels> {
  const packages = await loadModels(plant);
  const engine = await startEngine({ packages, logger, ...(settings.workers !== undefined && { workers: settings.workers }), ...(settings.device !== undefined && { device: settings.device }) });
  return { packages, engine, scheduler: new InferenceScheduler(engine, onRun === undefined ? {} : { onRun }), close: () => engine.close() };
}

function loadModels(plant: Plant): Promise<ModelPackage[]> {
  const names = new Set([...plant.kinds.values()].flatMap(({ models }) => models));
  return Promise.all([...names].map((name) => loadPackage(packageDirectory(plant, name))));
}
