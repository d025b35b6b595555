import { ROOT_CONTEXT, SpanKind, SpanStatusCode, type Link } from '@opentelemetry/api';
import type { RuntimeTelemetry } from '@millwright/streams';
import { ATTRIBUTES, METRICS } from './names.js';
import type { Telemetry } from './telemetry.js';
import { formatTraceparent, parseTraceparent } from './trace-context.js';

/** OpenTelemetry's default limit on links of a span; more would be dropped by the SDK. */
const MAX_LINKS = 128;

/** Seconds. Micro-batches take from a fraction of a millisecond to seconds. */
const BATCH_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The runtime's measurements on OpenTelemetry: per micro-batch two histograms, two counters and, where traces are on, one span. */
export function runtimeTelemetry({ meter, tracer, tracing }: Telemetry): RuntimeTelemetry {
  const advice = { explicitBucketBoundaries: BATCH_SECONDS };
  const processDuration = meter.createHistogram(METRICS.processDuration, { unit: 's', description: 'Duration of micro-batches', advice });
  const operationDuration = meter.createHistogram(METRICS.operationDuration, { unit: 's', description: 'Duration of transactions', advice });
  const consumed = meter.createCounter(METRICS.consumedMessages, { unit: '{message}', description: 'Records read' });
  const sent = meter.createCounter(METRICS.sentMessages, { unit: '{message}', description: 'Records published' });
  return {
    batch({ processor, topic, partition, records, emitted, seconds, commitSeconds }) {
      const input = { [ATTRIBUTES.group]: processor, [ATTRIBUTES.topic]: topic, [ATTRIBUTES.partition]: String(partition) };
      processDuration.record(seconds, input);
      consumed.add(records, input);
      operationDuration.record(commitSeconds, { [ATTRIBUTES.group]: processor, [ATTRIBUTES.operation]: 'commit' });
      sent.add(emitted, { [ATTRIBUTES.group]: processor });
    },
    async span(name, traceparents, run) {
      if (!tracing) return run(undefined);
      const span = tracer.startSpan(name, { kind: SpanKind.CONSUMER, links: linksTo(traceparents) }, ROOT_CONTEXT);
      try {
        return await run(formatTraceparent(span.spanContext()));
      } catch (error) {
        span.recordException(error as Error);
        span.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error).message });
        throw error;
      } finally {
        span.end();
      }
    },
  };
}

/** Records of one upstream micro-batch share a traceparent, so few links stand for many records. */
function linksTo(traceparents: readonly string[]): Link[] {
  const links: Link[] = [];
  for (const traceparent of new Set(traceparents)) {
    const context = parseTraceparent(traceparent);
    if (context !== undefined && links.push({ context }) === MAX_LINKS) break;
  }
  return links;
}
