import type { Attributes } from '@opentelemetry/api';

/** Series of one metric, at most: assets are the most numerous. */
export const MOST_SERIES = 20_000;
/** What is measured beyond them (OpenTelemetry SDK specification, overflow attribute). */
const OVERFLOW: Attributes = { 'otel.metric.overflow': true };

/**
 * What has been measured of one metric, by its attributes, which are always given in the same order. OpenTelemetry's SDK sorts the
 * attributes of every single measurement and writes them as JSON to find its series; at full load that was most of what telemetry cost.
 */
export class Series<T> {
  readonly #begin: () => T;
  readonly #all = new Map<string, { readonly attributes: Attributes; readonly measured: T }>();

  /** @param begin what a new series has measured */
  constructor(begin: () => T) {
    this.#begin = begin;
  }

  of(attributes: Attributes): T {
    let key = '';
    for (const name in attributes) key += `${String(attributes[name])}\0`;
    const series = this.#all.get(key);
    if (series !== undefined) return series.measured;
    if (this.#all.size >= MOST_SERIES && attributes !== OVERFLOW) return this.of(OVERFLOW);
    const measured = this.#begin();
    this.#all.set(key, { attributes, measured });
    return measured;
  }

  [Symbol.iterator](): Iterator<{ readonly attributes: Attributes; readonly measured: T }> {
    return this.#all.values();
  }
}
