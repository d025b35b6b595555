/** What every record carries beside its value; one Kafka header each. */
export interface RecordHeaders {
  /** Full protobuf name of the message in the value, version included, for example `millwright.telemetry.v1.TelemetryBlock`. */
  readonly schema: string;
  /** Who wrote it: an edge source, or `<processor>/<partition>/<input topic>` (watermarks: `<processor>/<partition>`). */
  readonly source: string;
  /** Counts what this source wrote to this topic (telemetry and production: of this asset), from 1 without gaps; 0 for what isn't counted, such as watermarks. */
  readonly sequence: number;
  /** W3C trace context of the micro-batch that wrote it, where that was sampled. */
  readonly traceparent?: string;
}

/** Key of watermark records: no asset may be called so. Not empty, since compacted topics need a key. */
export const WATERMARK_KEY = '~watermark';

/** A record to be written. */
export interface NewRecord {
  readonly topic: string;
  readonly partition: number;
  /** Asset id, or what the topic table says; WATERMARK_KEY for watermarks. */
  readonly key: string;
  readonly value: Uint8Array;
  /** Event time, milliseconds since the Unix epoch. */
  readonly timeMs: number;
  readonly headers: RecordHeaders;
}

/** A record of the log. */
export interface LogRecord extends NewRecord {
  readonly offset: number;
}
