export { createQualityProcessor } from './quality.processor.js';
export { baselineFile, loadBaselines } from './baselines.js';
export { QualityModule } from './quality.module.js';
