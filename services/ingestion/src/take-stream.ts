import type { ServerReadableStream } from '@grpc/grpc-js';
import { callTraceparent } from '@millwright/shell';
import { incoming } from './incoming.js';
import { notTaken, wrongRecords } from './intake-error.js';
import type { IntakeLane, Outcome, SentRecord } from './intake-lane.js';

/**
 * Takes a client stream to its end, or to its first wrong record. Resolves or throws when the log has all that was good.
 * @throws RpcError INVALID_ARGUMENT that names the field; UNAVAILABLE when the log or this process goes away.
 */
export async function takeStream<M extends SentRecord>(call: ServerReadableStream<Buffer, unknown>, lane: IntakeLane<M>, closing: AbortSignal): Promise<Outcome> {
  const traceparent = callTraceparent(call.metadata);
  const writes = new Set<Promise<void>>();
  let accepted = 0;
  let repeated = 0;
  let requests = 0;
  let failed = false;
  try {
    for await (const { records } of incoming(call, closing)) {
      requests++;
      const { refusals, durable } = await lane.takeEncoded(records, traceparent);
      const write = durable
        .then(
          (outcome) => {
            accepted += outcome.accepted;
            repeated += outcome.repeated;
          },
          () => {
            failed = true;
          },
        )
        .finally(() => writes.delete(write));
      writes.add(write);
      if (refusals.length > 0) throw wrongRecords(requests, refusals);
      if (failed) break;
    }
  } finally {
    await Promise.all(writes);
  }
  if (failed) throw notTaken();
  return { accepted, repeated };
}
