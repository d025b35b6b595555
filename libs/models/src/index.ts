export { type DiagnosisManifest, type EngineName, type Manifest } from './manifest.js';
export { engineOf, loadPackage, ModelPackageError, writePackage, type ModelOutput, type ModelPackage, type UnsignedManifest } from './package.js';
export { EngineError, EngineStartError, NotLoadedError, type EngineLogger, type InferenceEngine, type RunResult } from './engine.js';
export { startEngine } from './start.js';
export { startTfjsEngine, type TfjsEngineOptions } from './tfjs/engine.js';
export { startOnnxEngine, type OnnxEngineOptions } from './onnx/engine.js';
export { DeadlineError, InferenceScheduler, QueueFullError, type InferencePriority, type ScheduledRun, type SchedulerOptions, type SubmitOptions } from './scheduler.js';
