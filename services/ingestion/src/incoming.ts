import type { ServerDuplexStream, ServerReadableStream } from '@grpc/grpc-js';
import { malformed, shuttingDown } from './intake-error.js';
import { splitRequest, type EncodedRequest } from './request-wire.js';

/**
 * Requests of a stream, the next one taken when this one is done with, until the client ends it or leaves.
 * Not the stream's own iterator: that destroys the call on an error, which then can't tell its client why.
 * @throws RpcError when a request is malformed, or when `closing` aborts first.
 */
export async function* incoming(call: ServerReadableStream<Buffer, unknown> | ServerDuplexStream<Buffer, unknown>, closing: AbortSignal): AsyncGenerator<EncodedRequest, void, undefined> {
  let wake: (() => void) | undefined;
  const changed = () => wake?.();
  const events = ['readable', 'end', 'cancelled'] as const;
  for (const event of events) call.on(event, changed);
  closing.addEventListener('abort', changed);
  try {
    for (;;) {
      if (closing.aborted) throw shuttingDown();
      const bytes = call.read() as Buffer | null;
      if (bytes !== null) yield split(bytes);
      else if (call.readableEnded || call.cancelled) return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    for (const event of events) call.off(event, changed);
    closing.removeEventListener('abort', changed);
  }
}

function split(bytes: Buffer): EncodedRequest {
  try {
    return splitRequest(bytes);
  } catch (error) {
    throw malformed(error as Error);
  }
}
