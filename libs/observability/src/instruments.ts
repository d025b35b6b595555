import type { Attributes, BatchObservableResult, Meter, Observable, SpanContext } from '@opentelemetry/api';
import type { Exemplars } from './exemplars.js';
import { METRICS } from './generated/telemetry.js';

type Metrics = (typeof METRICS)[keyof typeof METRICS];
type Of<K extends Metrics['kind']> = Extract<Metrics, { readonly kind: K }>;

export type CounterMetric = Of<'counter'>;
export type UpDownCounterMetric = Of<'updown_counter'>;
export type GaugeMetric = Of<'gauge'>;
export type HistogramMetric = Of<'histogram'>;
export type ObservedMetric = CounterMetric | UpDownCounterMetric | GaugeMetric;

export interface Counter {
  add(value: number, attributes: Attributes): void;
}

export interface Histogram {
  /** Negative values count as 0. @param span that the measurement was made in, for an exemplar; only sampled ones are kept */
  record(value: number, attributes: Attributes, span?: SpanContext): void;
}

/** Says the present value of an observed metric. */
export type Report<M extends ObservedMetric> = (metric: M, value: number, attributes?: Attributes) => void;

/** The only way to measure: name, unit, description and boundaries come from telemetry.yaml. */
export interface Instruments {
  counter(metric: CounterMetric): Counter;
  upDownCounter(metric: UpDownCounterMetric): Counter;
  histogram(metric: HistogramMetric): Histogram;
  /** Calls `report` whenever metrics are collected; a gauge's series that it leaves out are gone. */
  observe<M extends ObservedMetric>(metrics: readonly M[], callback: (report: Report<M>) => void): void;
}

const SAMPLED = 1;

export function instruments(meter: Meter, exemplars: Exemplars): Instruments {
  return {
    counter: ({ name, unit, description }) => meter.createCounter(name, { unit, description }),
    upDownCounter: ({ name, unit, description }) => meter.createUpDownCounter(name, { unit, description }),
    histogram({ name, unit, description, boundaries }) {
      const histogram = meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries: [...boundaries] } });
      return {
        record(value, attributes, span) {
          const measured = Math.max(0, value);
          histogram.record(measured, attributes);
          if (span !== undefined && (span.traceFlags & SAMPLED) !== 0) exemplars.offer(name, boundaries, measured, attributes, span);
        },
      };
    },
    observe(metrics, callback) {
      const observables = new Map(metrics.map((metric): [string, Observable] => [metric.name, observable(meter, metric)]));
      meter.addBatchObservableCallback(
        (result: BatchObservableResult) => callback((metric, value, attributes) => result.observe(observables.get(metric.name)!, value, attributes)),
        [...observables.values()],
      );
    },
  };
}

function observable(meter: Meter, { name, kind, unit, description }: ObservedMetric): Observable {
  switch (kind) {
    case 'counter':
      return meter.createObservableCounter(name, { unit, description });
    case 'updown_counter':
      return meter.createObservableUpDownCounter(name, { unit, description });
    case 'gauge':
      return meter.createObservableGauge(name, { unit, description });
  }
}
