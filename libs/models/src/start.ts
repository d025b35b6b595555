import type { InferenceEngine } from './engine.js';
import { startOnnxEngine, type OnnxEngineOptions } from './onnx/engine.js';
import { engineOf } from './package.js';
import { startTfjsEngine } from './tfjs/engine.js';

/**
 * Starts the engine that the packages are for; ONNX Runtime where there are none.
 * @throws EngineStartError also where they are for several
 */
export function startEngine({ device, ...options }: OnnxEngineOptions): Promise<InferenceEngine> {
  const first = options.packages[0];
  if (first !== undefined && engineOf(first.manifest) === 'tfjs') return startTfjsEngine(options);
  return startOnnxEngine({ ...options, ...(device === undefined ? {} : { device }) });
}
