export { LatencyMeter } from './latency.js';
export { PipelineMeter, type AssetView, type FirstAlarm } from './pipeline-meter.js';
export { summarize, unaccounted, type Summary } from './summary.js';
export { statusLine } from './status-line.js';
