import type { Attributes, BatchObservableResult, Meter, Observable, SpanContext } from '@opentelemetry/api';
import { Distribution } from './distribution.js';
import type { METRICS } from './generated/telemetry.js';
import { Series } from './series.js';

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
  /** Several measurements with the same attributes. */
  recordAll(values: Iterable<number>, attributes: Attributes, span?: SpanContext): void;
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

/** What histograms have measured so far. */
export type Histograms = Map<HistogramMetric, Series<Distribution>>;

/** @param histograms to be filled; all else is told to the meter. What several ask for by one name is one. */
export function instruments(meter: Meter, histograms: Histograms): Instruments {
  const observe: Instruments['observe'] = (metrics, callback) => {
    const observables = new Map(metrics.map((metric): [string, Observable] => [metric.name, observable(meter, metric)]));
    meter.addBatchObservableCallback(
      (result: BatchObservableResult) => callback((metric, value, attributes) => result.observe(observables.get(metric.name)!, value, attributes)),
      [...observables.values()],
    );
  };
  const counters = new Map<ObservedMetric, Counter>();
  const counter = (metric: CounterMetric | UpDownCounterMetric): Counter => {
    const there = counters.get(metric);
    if (there !== undefined) return there;
    const sums = new Series(() => ({ total: 0 }));
    observe([metric], (report) => {
      for (const { attributes, measured } of sums) report(metric, measured.total, attributes);
    });
    const made: Counter = { add: (value, attributes) => void (sums.of(attributes).total += value) };
    counters.set(metric, made);
    return made;
  };
  return {
    counter,
    upDownCounter: counter,
    histogram(metric) {
      const series = histograms.get(metric) ?? new Series(() => new Distribution(metric.boundaries));
      histograms.set(metric, series);
      return {
        record: (value, attributes, span) => series.of(attributes).add(value, span),
        recordAll(values, attributes, span) {
          const distribution = series.of(attributes);
          for (const value of values) distribution.add(value, span);
        },
      };
    },
    observe,
  };
}

/** Measure nothing. */
export const noInstruments: Instruments = {
  counter: () => ({ add: () => undefined }),
  upDownCounter: () => ({ add: () => undefined }),
  histogram: () => ({ record: () => undefined, recordAll: () => undefined }),
  observe: () => undefined,
};

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
