export { LatencyMeter } from './latency.js';
export { PipelineMeter, type AssetView, type FirstAlarm } from './pipeline-meter.js';
export { statusLine } from './status-line.js';
export { summarize, unaccounted, type Summary } from './summary.js';
export { TerminalView, type TerminalViewOptions } from './terminal-view.js';
