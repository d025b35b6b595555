import { once } from 'node:events';
import type {
  handleBidiStreamingCall, handleClientStreamingCall, handleServerStreamingCall, handleUnaryCall,
  ServerDuplexStream, ServerReadableStream, ServerUnaryCall, ServerWritableStream,
} from '@grpc/grpc-js';

/**
 * gRPC handlers as async functions. What they throw becomes the status of the call: an RpcError its own, anything
 * else INTERNAL, with the cause in the log only (GrpcHost sees to it).
 */

/** One request, one response. */
export function unary<Q, R>(handle: (request: Q, call: ServerUnaryCall<Q, R>) => Promise<R> | R): handleUnaryCall<Q, R> {
  return async (call, callback) => callback(null, await handle(call.request, call));
}

/** Many requests, to be read with `for await`, which takes the next only when this one is done with; one response. */
export function clientStreaming<Q, R>(handle: (call: ServerReadableStream<Q, R>) => Promise<R>): handleClientStreamingCall<Q, R> {
  return async (call, callback) => callback(null, await handle(call));
}

/**
 * One request, many responses: what `handle` yields, taken only as fast as the client reads. The iterator's
 * `finally` runs when the client goes away.
 */
export function serverStreaming<Q, R>(handle: (request: Q, call: ServerWritableStream<Q, R>) => AsyncIterable<R>): handleServerStreamingCall<Q, R> {
  return async (call) => {
    const gone = cancellation(call);
    const responses = handle(call.request, call)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await Promise.race([responses.next(), gone.promise]);
        if (next === 'cancelled' || next.done === true) break;
        if (!(await sent(call, next.value))) break;
      }
    } finally {
      gone.forget();
      // Not awaited where the client has left: a generator that waits for news would hold the call open until it comes.
      const returned = responses.return?.();
      if (call.cancelled) returned?.then(undefined, () => undefined);
      else await returned;
    }
    if (!call.cancelled) call.end();
  };
}

/**
 * Requests and responses as `handle` likes; it resolves when the call is to end. Write with `sent`. Don't read with the
 * stream's own iterator: it destroys the call on an error, which then can't tell its client why.
 */
export function bidiStreaming<Q, R>(handle: (call: ServerDuplexStream<Q, R>) => Promise<void>): handleBidiStreamingCall<Q, R> {
  return async (call) => {
    await handle(call);
    if (!call.cancelled) call.end();
  };
}

/** Writes a response and waits while the client does not read. False when the client has gone. */
export async function sent<Q, R>(call: ServerWritableStream<Q, R> | ServerDuplexStream<Q, R>, response: R): Promise<boolean> {
  if (call.cancelled) return false;
  if (call.write(response)) return true;
  const gone = cancellation(call);
  const drained = new AbortController();
  try {
    return (await Promise.race([once(call, 'drain', { signal: drained.signal }), gone.promise])) !== 'cancelled';
  } finally {
    gone.forget();
    drained.abort();
  }
}

/** When the client leaves, or its deadline passes. */
function cancellation(call: { cancelled: boolean; once(event: 'cancelled', listener: () => void): unknown; off(event: 'cancelled', listener: () => void): unknown }) {
  const { promise, resolve } = Promise.withResolvers<'cancelled'>();
  const listener = () => resolve('cancelled');
  if (call.cancelled) listener();
  else call.once('cancelled', listener);
  return { promise, forget: () => void call.off('cancelled', listener) };
}
