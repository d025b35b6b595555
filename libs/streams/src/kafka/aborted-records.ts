import { createRequire } from 'node:module';

/** A record as kafkajs has fetched it; ids and offsets are decimal strings. */
export interface FetchedRecord {
  readonly offset: string;
  readonly key: Buffer | null;
  /** Consumers do not show such a record, but go on after it. */
  isControlRecord: boolean;
  readonly batchContext?: { readonly producerId: string; readonly inTransaction: boolean };
}

/** A transaction that was aborted, as the broker names it beside the records. */
export interface AbortedTransaction {
  readonly producerId: string;
  readonly firstOffset: string;
}

interface FetchedPartition {
  readonly messages: FetchedRecord[];
  abortedTransactions: AbortedTransaction[] | null;
}

interface BrokerClass {
  readonly prototype: { fetch(...args: unknown[]): Promise<{ readonly responses: readonly { readonly partitions: readonly FetchedPartition[] }[] }> };
}

/** Key of the marker that ends an aborted transaction: version 0, type 0. */
const ABORT_MARKER = Buffer.alloc(4);

/**
 * Marks the records of aborted transactions as what consumers are not shown, after Java's CompletedFetch.nextFetchedRecord: a producer's
 * transaction is aborted from its first offset to its marker.
 *
 * @param records of one partition, in offset order; changed in place
 * @param aborted in any order: the broker names them in the order in which they ended
 */
export function hideAborted(records: readonly FetchedRecord[], aborted: readonly AbortedTransaction[]): void {
  const coming = aborted.map(({ producerId, firstOffset }) => ({ producerId, first: Number(firstOffset) })).sort((a, b) => a.first - b.first);
  const open = new Set<string>();
  let next = 0;
  for (const record of records) {
    const offset = Number(record.offset);
    for (; next < coming.length && coming[next]!.first <= offset; next++) open.add(coming[next]!.producerId);
    const { producerId, inTransaction } = record.batchContext ?? { producerId: '', inTransaction: false };
    if (record.isControlRecord) {
      if (record.key?.equals(ABORT_MARKER) === true) open.delete(producerId);
    } else if (inTransaction && open.has(producerId)) record.isControlRecord = true;
  }
}

/**
 * kafkajs 2.2.4 takes the broker's list of aborted transactions to be in the order of their first offsets, and looks at one of them a
 * record. Where transactions of two producers overlap in a partition, or several reach into a fetch, it shows aborted records as if they
 * were committed (filterAbortedMessages.js). Here they are hidden before it looks, whoever reads in this process.
 */
export function readCommittedOnly(): void {
  const { prototype } = createRequire(import.meta.url)('kafkajs/src/broker') as BrokerClass;
  if (Object.hasOwn(prototype, PATCHED)) return;
  Object.defineProperty(prototype, PATCHED, { value: true });
  const original = prototype.fetch;
  prototype.fetch = async function (...args) {
    const response = await original.apply(this, args);
    for (const { partitions } of response.responses) {
      for (const partition of partitions) {
        if (partition.abortedTransactions === null || partition.abortedTransactions.length === 0) continue;
        hideAborted(partition.messages, partition.abortedTransactions);
        partition.abortedTransactions = [];
      }
    }
    return response;
  };
}

const PATCHED = Symbol.for('millwright.kafkajs.aborted-records');
