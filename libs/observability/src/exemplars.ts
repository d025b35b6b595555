import type { Attributes, SpanContext } from '@opentelemetry/api';

/** One measurement of a bucket, and the trace in which it was made. */
export interface Exemplar {
  readonly value: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly timeMs: number;
}

/** The latest exemplar of each bucket of each series: OpenTelemetry's SDK for JavaScript keeps none. Bounded by the series. */
export class Exemplars {
  readonly #series = new Map<string, (Exemplar | undefined)[]>();

  offer(metric: string, boundaries: readonly number[], value: number, attributes: Attributes, { traceId, spanId }: SpanContext): void {
    const key = seriesKey(metric, attributes);
    let buckets = this.#series.get(key);
    if (buckets === undefined) this.#series.set(key, (buckets = []));
    const above = boundaries.findIndex((boundary) => value <= boundary);
    buckets[above === -1 ? boundaries.length : above] = { value, traceId, spanId, timeMs: Date.now() };
  }

  /** By bucket; empty where there was no sampled trace yet. */
  of(metric: string, attributes: Attributes): readonly (Exemplar | undefined)[] {
    return this.#series.get(seriesKey(metric, attributes)) ?? [];
  }
}

/** Attributes of a metric are always given in the same order. */
const seriesKey = (metric: string, attributes: Attributes): string => `${metric}\0${Object.values(attributes).join('\0')}`;
