export { createLogger, LOG_LEVELS, type Logger, type LoggerOptions, type LogLevel } from './logger.js';
export { ATTRIBUTES, METRICS } from './generated/telemetry.js';
export { type Counter, type Histogram, type Instruments } from './instruments.js';
export { observeProcess, observeProcessors } from './observe.js';
export { type TextFormat } from './open-metrics.js';
export { runtimeTelemetry } from './runtime-telemetry.js';
export { noTelemetry, startTelemetry, type Telemetry, type TelemetryOptions } from './telemetry.js';
export { formatTraceparent, parentContext, parseTraceparent } from './trace-context.js';
