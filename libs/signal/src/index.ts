export { FeatureExtractor, REFERENCE_WINDOWS, type SignalWindow } from './extractor.js';
export { expectedSamples, type EnvelopeBand, type FeatureKind, type FeatureSignal, type SpectrumBands } from './kind.js';
export { STATISTICS, statistics } from './statistics.js';
export { PowerSpectrum } from './power-spectrum.js';
export { SpectrumFeatures } from './spectrum.js';
export { EnvelopeFeatures } from './envelope.js';
export { peakCrossCorrelation, zScore } from './asset.js';
export { fnv1a64 } from './hash.js';
export { filterWindow, filterWindows, initialBelief, type Persistence } from './persistence.js';
