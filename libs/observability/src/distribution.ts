import type { SpanContext } from '@opentelemetry/api';

/** One measurement of a bucket, and the trace in which it was made. */
export interface Exemplar {
  readonly value: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly timeMs: number;
}

const SAMPLED = 1;

/** One series of a histogram, with the latest exemplar of each bucket: OpenTelemetry's SDK for JavaScript keeps none. */
export class Distribution {
  /** Upper ends of the buckets, which belong to them; one more bucket has what is above. */
  readonly boundaries: readonly number[];
  readonly counts: Float64Array;
  readonly exemplars: (Exemplar | undefined)[] = [];
  sum = 0;

  constructor(boundaries: readonly number[]) {
    this.boundaries = boundaries;
    this.counts = new Float64Array(boundaries.length + 1);
  }

  /** Negative values count as 0. @param span that the measurement was made in; only sampled ones are kept */
  add(value: number, span: SpanContext | undefined): void {
    const measured = Math.max(0, value);
    let bucket = 0;
    while (bucket < this.boundaries.length && measured > this.boundaries[bucket]!) bucket++;
    this.counts[bucket]!++;
    this.sum += measured;
    if (span === undefined || (span.traceFlags & SAMPLED) === 0) return;
    this.exemplars[bucket] = { value: measured, traceId: span.traceId, spanId: span.spanId, timeMs: Date.now() };
  }
}
