export { createFeaturesProcessor } from './features.processor.js';
export { FeaturesModule } from './features.module.js';
