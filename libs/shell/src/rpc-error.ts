import { Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { Any, BadRequest, ErrorInfo, Status } from '@millwright/contracts';

/** One field of a request that is wrong. */
export interface FieldViolation {
  /** Path of the field, for example "blocks[2].signals[0].unit". */
  readonly field: string;
  /** UPPER_SNAKE_CASE, stable, for programs. */
  readonly reason: string;
  /** What was wrong and what to do. */
  readonly description: string;
}

/**
 * An error with a gRPC status, to be thrown by handlers. Details travel as google.rpc.Status in the
 * `grpc-status-details-bin` trailer (Google AIP-193).
 */
export class RpcError extends Error implements ServiceError {
  override readonly name = 'RpcError';
  readonly details: string;
  readonly metadata: Metadata;

  constructor(
    readonly code: status,
    message: string,
    details: readonly Any[] = [],
  ) {
    super(message);
    this.details = message;
    this.metadata = new Metadata();
    if (details.length > 0) {
      this.metadata.set('grpc-status-details-bin', Buffer.from(Status.encode({ code, message, details: [...details] }).finish()));
    }
  }
}

const any = (type: string, value: Uint8Array): Any => ({ typeUrl: `type.googleapis.com/${type}`, value });
const DOMAIN = 'millwright';

/** Trailers are HTTP/2 headers, which peers limit to a few KiB. */
const MAX_VIOLATIONS = 20;

/**
 * The request is wrong whatever the state of the system: INVALID_ARGUMENT with google.rpc.BadRequest, which names
 * the first 20 of `violations`.
 */
export function invalidArgument(violations: readonly FieldViolation[]): RpcError {
  const [first] = violations;
  if (first === undefined) throw new Error('invalidArgument needs at least one violation');
  const rest = violations.length === 1 ? '' : ` (and ${violations.length - 1} more)`;
  const message = `${first.field === '' ? '' : `${first.field}: `}${first.description}${rest}`;
  const badRequest = BadRequest.encode(BadRequest.fromPartial({ fieldViolations: violations.slice(0, MAX_VIOLATIONS) })).finish();
  return new RpcError(status.INVALID_ARGUMENT, message, [any('google.rpc.BadRequest', badRequest)]);
}

/** What the request names does not exist. */
export const notFound = (reason: string, message: string): RpcError => withInfo(status.NOT_FOUND, reason, message);
/** The system is not in the state that the request needs; repeating it without changing that does not help. */
export const failedPrecondition = (reason: string, message: string): RpcError => withInfo(status.FAILED_PRECONDITION, reason, message);
/** A limit is reached; later it may work. */
export const resourceExhausted = (reason: string, message: string): RpcError => withInfo(status.RESOURCE_EXHAUSTED, reason, message);
/** The time that the client gave has passed. */
export const deadlineExceeded = (reason: string, message: string): RpcError => withInfo(status.DEADLINE_EXCEEDED, reason, message);
/** Something that is needed is away; the client should send again after a while. */
export const unavailable = (reason: string, message: string): RpcError => withInfo(status.UNAVAILABLE, reason, message);

function withInfo(code: status, reason: string, message: string): RpcError {
  const info = ErrorInfo.encode(ErrorInfo.fromPartial({ reason, domain: DOMAIN })).finish();
  return new RpcError(code, message, [any('google.rpc.ErrorInfo', info)]);
}

/** google.rpc.Status of an error that a client got, or undefined where the server sent none. */
export function statusDetails(error: ServiceError): Status | undefined {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  return bytes === undefined ? undefined : Status.decode(bytes as Buffer);
}
