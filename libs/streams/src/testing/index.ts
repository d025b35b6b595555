export { describeEventLog, type OpenedLog } from './log-contract.js';
export { describeStateStore, type OpenedStore } from './state-contract.js';
