export * from './model.js';
export { loadPlant, parsePlant } from './load.js';
export { PlantFileError, type PlantFileProblem } from './problems.js';
export { formatDuration, parseDuration } from './duration.js';
export { suggestion } from './nearest.js';
