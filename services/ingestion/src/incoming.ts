import type { ServerDuplexStream, ServerReadableStream } from '@grpc/grpc-js';
import { malformed, shuttingDown } from './intake-error.js';
import { splitRequest, type EncodedRequest } from './request-wire.js';

/**
 * Requests of a stream, the next one taken when this one is done with, until the client ends it.
 * @throws RpcError when a request is malformed, or when `closing` aborts first.
 */
export async function* incoming(call: ServerReadableStream<Buffer, unknown> | ServerDuplexStream<Buffer, unknown>, closing: AbortSignal): AsyncGenerator<EncodedRequest, void, undefined> {
  // Not destroyed at the end: a destroyed call can't tell its client why.
  const requests: AsyncIterator<Buffer> = call.iterator({ destroyOnReturn: false });
  const { promise: closed, resolve: close } = Promise.withResolvers<'closed'>();
  const onClose = () => close('closed');
  if (closing.aborted) onClose();
  closing.addEventListener('abort', onClose);
  try {
    for (;;) {
      const next = await Promise.race([requests.next(), closed]);
      if (next === 'closed') throw shuttingDown();
      if (next.done === true) return;
      yield split(next.value);
    }
  } finally {
    closing.removeEventListener('abort', onClose);
  }
}

function split(bytes: Buffer): EncodedRequest {
  try {
    return splitRequest(bytes);
  } catch (error) {
    throw malformed(error as Error);
  }
}
