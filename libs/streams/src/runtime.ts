import type { EventLog } from './log.js';
import type { AnyProcessor } from './processor.js';
import type { StateStore } from './state.js';

/** Counts of one input topic and partition. in = processed + deadLettered + late + repeated, always. */
export interface LedgerEntry {
  readonly topic: string;
  readonly partition: number;
  readonly in: number;
  readonly processed: number;
  readonly deadLettered: number;
  readonly late: number;
  /** Records that came again, by (source, sequence), and had no further effect. */
  readonly repeated: number;
  /** Sequence numbers that are missing: lost before this reader. */
  readonly missing: number;
  /** Watermarks among the records; not part of `in`. */
  readonly watermarks: number;
}

export interface ProcessorStatus {
  readonly processor: string;
  readonly assignment: readonly number[];
  readonly lastPollMs: number;
  /** Records behind the end of the log, over all assigned partitions. */
  readonly lag: number;
  readonly ledger: readonly LedgerEntry[];
  /** Why it is not making progress, when it is not: one sentence; undefined when all is well. */
  readonly stalled?: string;
}

export interface RuntimeOptions {
  readonly log: EventLog;
  readonly store: StateStore;
  /** Milliseconds between checkpoints of a task; default 5000. */
  readonly checkpointMs?: number;
  /** Called with each event worth a log line. */
  readonly logger: RuntimeLogger;
  readonly telemetry?: RuntimeTelemetry;
}

export interface RuntimeLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Measurements of the runtime, to be bound to OpenTelemetry at the rim. */
export interface RuntimeTelemetry {
  batch(fields: { processor: string; topic: string; partition: number; records: number; emitted: number; seconds: number; commitSeconds: number }): void;
  /** Runs a micro-batch inside a span with links to the records' trace contexts; returns the traceparent for its outputs. */
  span<T>(name: string, traceparents: readonly string[], run: (traceparent: string | undefined) => Promise<T>): Promise<T>;
}

/** Runs one processor on the partitions that the group gives it. */
export interface ProcessorRun {
  status(): ProcessorStatus;
  /** Takes a checkpoint of every task, gives the partitions back and leaves the group. Ledger is final afterwards. */
  close(): Promise<void>;
}

export type RunProcessor = (processor: AnyProcessor, options: RuntimeOptions) => Promise<ProcessorRun>;
