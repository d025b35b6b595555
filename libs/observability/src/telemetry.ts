import { createNoopMeter, trace, type Meter, type Tracer } from '@opentelemetry/api';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { defaultResource, resourceFromAttributes, type Resource } from '@opentelemetry/resources';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import type { TracerProvider } from '@opentelemetry/sdk-trace';
import { ATTR_SERVICE_INSTANCE_ID, ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from '@opentelemetry/semantic-conventions';

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
export interface Telemetry {
  readonly meter: Meter;
  readonly tracer: Tracer;
  /** Whether spans are recorded; without it the tracer does nothing. */
  readonly tracing: boolean;
  /** All metrics now, in Prometheus' text format. */
  prometheus(): Promise<string>;
  /** Sends what is left and stops. */
  shutdown(): Promise<void>;
}

const SCOPE = 'millwright';

export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const resource = defaultResource().merge(
    resourceFromAttributes({
      [ATTR_SERVICE_NAME]: options.service,
      [ATTR_SERVICE_VERSION]: options.version,
      [ATTR_SERVICE_INSTANCE_ID]: options.instance,
    }),
  );
  const reader = new PrometheusExporter({ preventServerStart: true });
  const serializer = new PrometheusSerializer(undefined, false, undefined, false, true);
  const meters = new MeterProvider({ resource, readers: [reader] });
  const tracers = options.otlpEndpoint === undefined ? undefined : await tracerProvider(resource, options.otlpEndpoint, options.sampleRatio ?? 1);
  return {
    meter: meters.getMeter(SCOPE, options.version),
    tracer: tracers?.getTracer(SCOPE, options.version) ?? noTelemetry.tracer,
    tracing: tracers !== undefined,
    async prometheus() {
      const { resourceMetrics, errors } = await reader.collect();
      if (errors.length > 0) throw new AggregateError(errors, 'some metrics could not be collected');
      return serializer.serialize(resourceMetrics);
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

/** Measures nothing: for tools and tests that need none. */
export const noTelemetry: Telemetry = {
  meter: createNoopMeter(),
  // The API's own default provider makes spans that do nothing.
  tracer: trace.getTracer(SCOPE),
  tracing: false,
  prometheus: () => Promise.resolve(''),
  shutdown: () => Promise.resolve(),
};
