export { createQualityProcessor } from './quality.processor.js';
export { baselineFile, loadBaselines } from './baselines.js';
export { FeatureSelection } from './feature-selection.js';
export { QualityModule } from './quality.module.js';
