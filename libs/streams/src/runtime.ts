import type { EventLog } from './log.js';
import type { AnyProcessor } from './processor.js';
import type { NewRecord } from './record.js';
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

/** Where a processor stands in one partition of an input topic. */
export interface InputStatus {
  readonly topic: string;
  readonly partition: number;
  /** Records behind the end of the log when the partition last read. */
  readonly lag: number;
  /** Event time reached, microseconds; none before the first watermark. */
  readonly watermarkUs?: number;
}

export interface ProcessorStatus {
  readonly processor: string;
  readonly assignment: readonly number[];
  readonly lastPollMs: number;
  /** Records behind the end of the log, over all assigned partitions. */
  readonly lag: number;
  /** Of the partitions held. */
  readonly inputs: readonly InputStatus[];
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

/** What a span is about: records written by ingestion, or read by a processor. */
export interface SpanSubject {
  readonly operation: 'send' | 'process';
  readonly topic: string;
  readonly records: number;
  readonly processor?: string;
  readonly partition?: number;
}

/** A micro-batch that was committed. */
export interface CommittedBatch {
  readonly processor: string;
  readonly topic: string;
  readonly partition: number;
  /** Records read. */
  readonly records: number;
  /** Records written: results, dead letters, late records, watermarks. */
  readonly outputs: readonly NewRecord[];
  /** Topics of the processor's results. */
  readonly results: readonly string[];
  /** From the first record to the commit. */
  readonly seconds: number;
  readonly commitSeconds: number;
  /** Of the span that the batch ran in, where it was sampled. */
  readonly traceparent: string | undefined;
}

/** Measurements of the runtime, to be bound to OpenTelemetry at the rim. What these throw fails the micro-batch, so they don't. */
export interface RuntimeTelemetry {
  batch(batch: CommittedBatch): void;
  /** Records that went to the log outside of a micro-batch. */
  sent(fields: { readonly topic: string; readonly records: number; readonly seconds: number; readonly traceparent: string | undefined }): void;
  /** A checkpoint that was saved, refused by the store for a newer one, or failed. */
  checkpoint(fields: { readonly processor: string; readonly outcome: 'saved' | 'refused' | 'failed'; readonly seconds: number }): void;
  /** Runs work inside a span that goes on the records' traces; returns the traceparent for its outputs. */
  span<T>(subject: SpanSubject, traceparents: readonly string[], run: (traceparent: string | undefined) => Promise<T>): Promise<T>;
}

/** Runs one processor on the partitions that the group gives it. */
export interface ProcessorRun {
  status(): ProcessorStatus;
  /** Takes a checkpoint of every task, gives the partitions back and leaves the group. Ledger is final afterwards. */
  close(): Promise<void>;
}

export type RunProcessor = (processor: AnyProcessor, options: RuntimeOptions) => Promise<ProcessorRun>;
