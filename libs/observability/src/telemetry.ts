import { trace, type Tracer } from '@opentelemetry/api';
import { defaultResource, resourceFromAttributes, type Resource } from '@opentelemetry/resources';
import { AggregationTemporality, InstrumentType, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import type { TracerProvider } from '@opentelemetry/sdk-trace';
import { ATTR_SERVICE_INSTANCE_ID, ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from '@opentelemetry/semantic-conventions';
import { instruments, noInstruments, type Histograms, type Instruments } from './instruments.js';
import { metricsText, type TextFormat } from './open-metrics.js';
import { MOST_SERIES } from './series.js';

export interface TelemetryOptions {
  readonly service: string;
  readonly version: string;
  /** What tells this process from others of the same service. */
  readonly instance: string;
  /** Where traces go (OTLP over HTTP); without it no span is made at all. */
  readonly otlpEndpoint?: string;
  /** Share of new traces that are sampled, 0 to 1; traces that a caller sampled are always followed. Default 1. */
  readonly sampleRatio?: number;
}

/** Traces and metrics of this process. Nothing is global: two of them may live in one process (tests). */
export interface Telemetry extends Instruments {
  readonly tracer: Tracer;
  /** Whether spans are recorded; without it the tracer does nothing. */
  readonly tracing: boolean;
  /** All metrics now, as text for Prometheus. */
  metrics(format: TextFormat): Promise<string>;
  /** Sends what is left and stops. */
  shutdown(): Promise<void>;
}

const SCOPE = 'millwright';

/** Collects when asked. Gauges show what was observed last and nothing else: a partition that was given away is gone. */
class ScrapedReader extends MetricReader {
  constructor() {
    super({
      aggregationTemporalitySelector: (type) => (type === InstrumentType.OBSERVABLE_GAUGE ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE),
      // With the series of all that is beyond, and the SDK's own for that.
      cardinalitySelector: () => MOST_SERIES + 2,
    });
  }

  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }

  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}

export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const resource = defaultResource().merge(
    resourceFromAttributes({
      [ATTR_SERVICE_NAME]: options.service,
      [ATTR_SERVICE_VERSION]: options.version,
      [ATTR_SERVICE_INSTANCE_ID]: options.instance,
    }),
  );
  const reader = new ScrapedReader();
  const histograms: Histograms = new Map();
  const meters = new MeterProvider({ resource, readers: [reader] });
  const tracers = options.otlpEndpoint === undefined ? undefined : await tracerProvider(resource, options.otlpEndpoint, options.sampleRatio ?? 1);
  return {
    ...instruments(meters.getMeter(SCOPE, options.version), histograms),
    tracer: tracers?.getTracer(SCOPE, options.version) ?? noTelemetry.tracer,
    tracing: tracers !== undefined,
    async metrics(format) {
      const { resourceMetrics, errors } = await reader.collect();
      if (errors.length > 0) throw new AggregateError(errors, 'some metrics could not be collected');
      return metricsText(resourceMetrics, histograms, format);
    },
    async shutdown() {
      await tracers?.shutdown();
      await meters.shutdown();
    },
  };
}

/** The SDK is loaded only where traces are wanted: it costs time and memory at start. */
async function tracerProvider(resource: Resource, endpoint: string, ratio: number): Promise<TracerProvider> {
  const [{ TracerProvider, BatchSpanProcessor, ParentBasedSampler, TraceIdRatioBasedSampler }, { OTLPTraceExporter }] = await Promise.all([
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/exporter-trace-otlp-proto'),
  ]);
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` });
  return new TracerProvider({
    resource,
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  });
}

/** Measures nothing: where telemetry is switched off, and for tools and tests that need none. */
export const noTelemetry: Telemetry = {
  ...noInstruments,
  // The API's own default provider makes spans that do nothing.
  tracer: trace.getTracer(SCOPE),
  tracing: false,
  metrics: (format) => Promise.resolve(format === 'openmetrics' ? '# EOF\n' : ''),
  shutdown: () => Promise.resolve(),
};
