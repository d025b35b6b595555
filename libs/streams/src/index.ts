export * from './record.js';
export * from './log.js';
export * from './state.js';
export * from './processor.js';
export * from './runtime.js';
export { partitionFor } from './partition.js';
