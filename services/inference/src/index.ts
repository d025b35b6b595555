export { inferenceEnvironment, registryFolder } from './environment.js';
export { createInferenceProcessor, type InferenceModels } from './inference.processor.js';
export { InferenceModule } from './inference.module.js';
export { modelsDirectory, packageDirectory } from './judge.js';
export { startModels, type InferenceSettings, type RunningModels } from './models.js';
