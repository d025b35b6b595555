import type { Attributes } from '@opentelemetry/api';
import { DataPointType, type MetricData, type ResourceMetrics } from '@opentelemetry/sdk-metrics';
import { ATTR_SERVICE_NAME } from '@opentelemetry/semantic-conventions';
import type { Distribution, Exemplar } from './distribution.js';
import type { HistogramMetric, Histograms } from './instruments.js';
import type { Series } from './series.js';

/** The two forms of Prometheus' text; exemplars are in the newer one only. */
export type TextFormat = 'openmetrics' | 'prometheus';

/**
 * Metrics as Prometheus reads them. Names follow OpenTelemetry's compatibility rules: underscores for dots, the unit
 * and `_total` appended. Every series has service_name; the whole resource is in target_info.
 * @see https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
 * @see https://github.com/prometheus/OpenMetrics (1.0)
 */
export function metricsText({ resource, scopeMetrics }: ResourceMetrics, histograms: Histograms, format: TextFormat): string {
  const common = { [ATTR_SERVICE_NAME]: resource.attributes[ATTR_SERVICE_NAME] ?? '' };
  const lines: string[] = [];
  family(lines, format === 'openmetrics' ? 'target' : 'target_info', format === 'openmetrics' ? 'info' : 'gauge', 'What this process is');
  lines.push(`target_info${labels(resource.attributes)} 1`);
  for (const { metrics } of scopeMetrics) for (const metric of metrics) write(lines, metric, common, format);
  for (const [metric, series] of histograms) writeHistogram(lines, metric, series, common, format);
  if (format === 'openmetrics') lines.push('# EOF');
  return `${lines.join('\n')}\n`;
}

function write(lines: string[], metric: MetricData, common: Attributes, format: TextFormat): void {
  const { name: otelName, description } = metric.descriptor;
  const name = familyName(metric);
  switch (metric.dataPointType) {
    case DataPointType.SUM: {
      const counter = metric.isMonotonic;
      const series = counter ? `${name}_total` : name;
      // OpenMetrics names the family of a counter without the suffix of its series.
      family(lines, format === 'openmetrics' ? name : series, counter ? 'counter' : 'gauge', description);
      for (const { attributes, value } of metric.dataPoints) lines.push(`${series}${labels({ ...attributes, ...common })} ${number(value)}`);
      return;
    }
    case DataPointType.GAUGE:
      family(lines, name, 'gauge', description);
      for (const { attributes, value } of metric.dataPoints) lines.push(`${name}${labels({ ...attributes, ...common })} ${number(value)}`);
      return;
    case DataPointType.HISTOGRAM:
    case DataPointType.EXPONENTIAL_HISTOGRAM:
      throw new Error(`${otelName} is a histogram of the SDK's own: make it by Instruments`);
  }
}

function writeHistogram(lines: string[], { name: otelName, unit, description }: HistogramMetric, series: Series<Distribution>, common: Attributes, format: TextFormat): void {
  const all = [...series];
  if (all.length === 0) return;
  const name = withUnit(otelName, unit);
  family(lines, name, 'histogram', description);
  for (const { attributes, measured } of all) {
    const at = { ...attributes, ...common };
    let count = 0;
    measured.counts.forEach((each, bucket) => {
      count += each;
      const boundary = measured.boundaries[bucket] ?? Infinity;
      lines.push(`${name}_bucket${labels({ ...at, le: number(boundary) })} ${count}${format === 'openmetrics' ? exemplarText(measured.exemplars[bucket]) : ''}`);
    });
    lines.push(`${name}_sum${labels(at)} ${number(measured.sum)}`, `${name}_count${labels(at)} ${count}`);
  }
}

const UNITS: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes' };

function familyName({ descriptor: { name, unit }, dataPointType }: MetricData): string {
  return unit === '1' && dataPointType === DataPointType.GAUGE ? `${underscored(name)}_ratio` : withUnit(name, unit);
}

const withUnit = (name: string, unit: string): string => underscored(name) + (UNITS[unit] ?? '');

function family(lines: string[], name: string, type: string, help: string): void {
  lines.push(`# HELP ${name} ${escaped(help)}`, `# TYPE ${name} ${type}`);
}

function labels(attributes: Attributes): string {
  let text = '';
  for (const name in attributes) text += `${text === '' ? '' : ','}${underscored(name)}="${escaped(String(attributes[name]))}"`;
  return `{${text}}`;
}

function exemplarText(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return '';
  const { traceId, spanId, value, timeMs } = exemplar;
  return ` # {trace_id="${traceId}",span_id="${spanId}"} ${number(value)} ${timeMs / 1000}`;
}

/** Names as Prometheus has them, of which there are few: those of telemetry.yaml and of the resource. */
const names = new Map<string, string>();

function underscored(name: string): string {
  let known = names.get(name);
  if (known === undefined) names.set(name, (known = name.replaceAll(/[^A-Za-z0-9_]/g, '_')));
  return known;
}

const escaped = (text: string): string => (/[\\\n"]/.test(text) ? text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"') : text);
const number = (value: number): string => (value === Infinity ? '+Inf' : value === -Infinity ? '-Inf' : String(value));
