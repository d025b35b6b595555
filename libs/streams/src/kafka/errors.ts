interface KafkaError extends Error {
  /** Name of a broker's error code. */
  readonly type?: string;
  readonly code?: number | string;
  readonly retriable?: boolean;
}

/** The error and what caused it, outermost first: kafkajs wraps errors as it gives up. */
function causes(error: unknown): KafkaError[] {
  const found: KafkaError[] = [];
  for (let at = error; at instanceof Error && !found.includes(at); at = at.cause) found.push(at);
  return found;
}

/** Whether the broker answered with one of these error codes. */
export const hasType = (error: unknown, ...types: string[]): boolean => causes(error).some(({ type }) => type !== undefined && types.includes(type));

/** Whether a newer producer with the same transactional id exists. */
export const isFence = (error: unknown): boolean => hasType(error, 'INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED');

export const isUnknownTopic = (error: unknown): boolean => hasType(error, 'UNKNOWN_TOPIC_OR_PARTITION', 'INVALID_TOPIC_EXCEPTION');

/** Whether an error may be gone at the next try: brokers restart, and leaders and coordinators move. */
export function mayPass(error: unknown): boolean {
  if (isUnknownTopic(error)) return false;
  return hasType(error, ...MOVING) || causes(error).some(({ name, message, retriable }) => message === NOT_READY || CONNECTION.has(name) || (name.startsWith('KafkaJS') && retriable === true));
}

const MOVING = ['NOT_COORDINATOR_FOR_GROUP', 'GROUP_COORDINATOR_NOT_AVAILABLE', 'GROUP_LOAD_IN_PROGRESS', 'CONCURRENT_TRANSACTIONS'];

/** What kafkajs says when it is asked while the first exchange with a broker is under way: a bare error without a kind. */
const NOT_READY = 'Broker not connected';

const CONNECTION = new Set([
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSBrokerNotFound',
  'KafkaJSNumberOfRetriesExceeded',
  'KafkaJSGroupCoordinatorNotFound',
]);

/**
 * Whether the coordinator no longer knows of the transaction (it moved, timed out, or the id expired), or has it to be aborted: nothing of it
 * remains, and a new one may begin.
 */
export const isLostTransaction = (error: unknown): boolean =>
  hasType(error, 'TRANSACTION_ABORTABLE', 'INVALID_TXN_STATE', 'INVALID_PRODUCER_ID_MAPPING', 'UNKNOWN_PRODUCER_ID', 'TRANSACTION_COORDINATOR_FENCED', 'OUT_OF_ORDER_SEQUENCE_NUMBER');
