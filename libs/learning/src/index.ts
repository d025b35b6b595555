export { Random } from './random.js';
export { DatasetBuilder, select, splitByBlocks, splitByRun, subset, type Blocks, type Dataset, type Split } from './dataset.js';
export { fitScaler, scale, type Scaler } from './scaler.js';
export { average, cooled, logits, softmax, type Layer, type Network } from './network.js';
export { trainClassifier, type Examples, type Trained, type TrainingOptions } from './trainer.js';
export { evaluate, type Evaluation } from './evaluate.js';
export { fitTemperature } from './calibrate.js';
export { exportClassifier } from './export-onnx.js';
