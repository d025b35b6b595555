export { describeEventLog, type OpenedLog } from './log-contract.js';
export { describeStateStore, type OpenedStore } from './state-contract.js';
export { describeRuntime, type OpenedRuntime } from './runtime-contract.js';
export { eventually, readAll } from './fixtures.js';
