import type { Refusal } from '@millwright/contracts';
import { invalidArgument, unavailable, type RpcError } from '@millwright/shell';

/** The bytes of a request are no message. */
export const malformed = (error: Error): RpcError =>
  invalidArgument([{ field: '', reason: 'MALFORMED_MESSAGE', description: `The request can't be read (${error.message}); encode it by the .proto files of this version.` }]);

/** Records of a stream that ends at the first wrong one. */
export const wrongRecords = (request: number, refusals: readonly Refusal[]): RpcError =>
  invalidArgument(refusals.map((refusal) => ({ ...refusal, description: `${refusal.description} (request ${request} of the stream; what came before and the rest of this request are kept)` })));

/** The log could not take the records. */
export const notTaken = (): RpcError =>
  unavailable('LOG_UNAVAILABLE', 'The log does not take records now; send again what was not acknowledged: nothing is written twice.');

/** This process ends. */
export const shuttingDown = (): RpcError =>
  unavailable('SHUTTING_DOWN', 'This server is shutting down; connect again and send what was not acknowledged: nothing is written twice.');
