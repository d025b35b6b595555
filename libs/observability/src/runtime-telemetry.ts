import { SpanKind, SpanStatusCode, TraceFlags, type Attributes, type SpanContext } from '@opentelemetry/api';
import { WATERMARK_KEY, type NewRecord, type RuntimeTelemetry, type SpanSubject } from '@millwright/streams';
import { ATTRIBUTES, METRICS } from './generated/telemetry.js';
import type { Telemetry } from './telemetry.js';
import { formatTraceparent, parseTraceparent, within } from './trace-context.js';

/** OpenTelemetry's default limit on links of a span; more would be dropped by the SDK. */
const MAX_LINKS = 128;

/** What the semantic conventions call the log; the embedded one goes by the same name, so that panels fit both. */
const SYSTEM = { [ATTRIBUTES.system]: 'kafka' };

/** The runtime's measurements on OpenTelemetry: a few per micro-batch, and one span where traces are on. */
export function runtimeTelemetry(telemetry: Telemetry): RuntimeTelemetry {
  const { tracer, tracing } = telemetry;
  const processDuration = telemetry.histogram(METRICS.processDuration);
  const operationDuration = telemetry.histogram(METRICS.operationDuration);
  const eventLatency = telemetry.histogram(METRICS.eventLatency);
  const checkpointDuration = telemetry.histogram(METRICS.checkpointDuration);
  const consumed = telemetry.counter(METRICS.consumedMessages);
  const sent = telemetry.counter(METRICS.sentMessages);
  return {
    batch({ processor, topic, records, outputs, results, seconds, commitSeconds, traceparent }) {
      const span = parseTraceparent(traceparent);
      const input = { ...SYSTEM, [ATTRIBUTES.group]: processor, [ATTRIBUTES.topic]: topic };
      processDuration.record(seconds, input, span);
      consumed.add(records, input);
      operationDuration.record(commitSeconds, { ...SYSTEM, [ATTRIBUTES.operation]: 'commit' }, span);
      const nowMs = Date.now();
      for (const [output, written] of byTopic(outputs)) {
        sent.add(written.length, { ...SYSTEM, [ATTRIBUTES.topic]: output });
        // Dead letters and late records are no results.
        if (!results.includes(output)) continue;
        const attributes = { [ATTRIBUTES.processor]: processor, [ATTRIBUTES.topic]: output };
        eventLatency.recordAll(written.map(({ timeMs }) => (nowMs - timeMs) / 1e3), attributes, span);
      }
    },
    sent({ topic, records, seconds, traceparent }) {
      sent.add(records, { ...SYSTEM, [ATTRIBUTES.topic]: topic });
      operationDuration.record(seconds, { ...SYSTEM, [ATTRIBUTES.operation]: 'send' }, parseTraceparent(traceparent));
    },
    checkpoint({ processor, outcome, seconds }) {
      checkpointDuration.record(seconds, { [ATTRIBUTES.processor]: processor, [ATTRIBUTES.outcome]: outcome });
    },
    async span(subject, traceparents, run) {
      if (!tracing) return run(undefined);
      const contexts = spanContexts(traceparents);
      const parent = contexts.find(({ traceFlags }) => (traceFlags & TraceFlags.SAMPLED) !== 0) ?? contexts[0];
      const others = contexts.filter((context) => context !== parent);
      const options = { kind: subject.operation === 'send' ? SpanKind.PRODUCER : SpanKind.CONSUMER, attributes: spanAttributes(subject), links: others.slice(0, MAX_LINKS).map((context) => ({ context })) };
      // Records of many traces come together here: the first that is sampled goes on as the parent, so that a trace leads from sample to alarm.
      const span = tracer.startSpan(`${subject.operation} ${subject.topic}`, options, within(parent));
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

function spanAttributes({ operation, topic, records, processor, partition }: SpanSubject): Attributes {
  return {
    ...SYSTEM,
    [ATTRIBUTES.operation]: operation,
    [ATTRIBUTES.operationType]: operation,
    [ATTRIBUTES.topic]: topic,
    [ATTRIBUTES.batchSize]: records,
    ...(processor !== undefined && { [ATTRIBUTES.group]: processor }),
    ...(partition !== undefined && { [ATTRIBUTES.partition]: String(partition) }),
  };
}

/** Data records by their topics: watermarks are left out. */
function byTopic(records: readonly NewRecord[]): Map<string, NewRecord[]> {
  return Map.groupBy(records.filter(({ key }) => key !== WATERMARK_KEY), ({ topic }) => topic);
}

/** Each once: records of one upstream micro-batch share a traceparent, so few links stand for many records. */
function spanContexts(traceparents: readonly string[]): SpanContext[] {
  return [...new Set(traceparents)].map(parseTraceparent).filter((context) => context !== undefined);
}
