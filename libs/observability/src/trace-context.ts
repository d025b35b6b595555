import { ROOT_CONTEXT, trace, TraceFlags, type Context, type SpanContext } from '@opentelemetry/api';

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** W3C `traceparent` header as a span context; undefined when there is none, or it is malformed or all zeros. */
export function parseTraceparent(traceparent: string | undefined): SpanContext | undefined {
  const match = traceparent === undefined ? null : TRACEPARENT.exec(traceparent);
  if (match === null) return undefined;
  const context = { traceId: match[1]!, spanId: match[2]!, traceFlags: Number.parseInt(match[3]!, 16), isRemote: true };
  return trace.isSpanContextValid(context) ? context : undefined;
}

/** A sampled span context as a W3C `traceparent` header; undefined when it is not sampled. */
export function formatTraceparent(context: SpanContext): string | undefined {
  if ((context.traceFlags & TraceFlags.SAMPLED) === 0) return undefined;
  return `00-${context.traceId}-${context.spanId}-01`;
}

/** The parent that a `traceparent` header names; the root where there is none. */
export function parentContext(traceparent: string | undefined): Context {
  return within(parseTraceparent(traceparent));
}

/** What a span that starts under this one starts in; the root where there is none. */
export function within(span: SpanContext | undefined): Context {
  return span === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, span);
}
