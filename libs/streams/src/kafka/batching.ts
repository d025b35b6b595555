import type { NewRecord } from '../record.js';
import { RecordBatch } from './record-batch.js';

/** The broker refuses a batch of one partition above 1 MiB (message.max.bytes, 1048588 by default) and does not say so as something to retry. */
export const MAX_BATCH_BYTES = 1_000_000;
/** All partitions of one request together. */
const MAX_REQUEST_BYTES = 4_000_000;
/** Bytes that a record takes beside its value, generously: framing, time, header names and the headers of usual length. */
const OVERHEAD = 256;

/** Bytes of a record in a batch, or a little more. */
const sizeOf = (record: NewRecord): number => record.value.byteLength + 3 * (record.key.length + record.headers.source.length) + OVERHEAD;

/** Records for one partition of a topic. */
export interface PartitionBatch {
  readonly topic: string;
  readonly partition: number;
  readonly batch: RecordBatch;
}

/** Gathers the records of one request to the broker: below the limit of each partition, in order. */
export class RequestBuilder {
  readonly #byTopic = new Map<string, PartitionBatch[]>();
  #total = 0;

  /** Adds a record, or returns false when it has to go with the next request. A record is always taken when it is the first. */
  add(record: NewRecord): boolean {
    const { topic, partition } = record;
    const size = sizeOf(record);
    let partitions = this.#byTopic.get(topic);
    const gathered = partitions?.[partition];
    if (this.#total > 0 && ((gathered?.batch.size ?? 0) + size > MAX_BATCH_BYTES || this.#total + size > MAX_REQUEST_BYTES)) return false;
    this.#total += size;
    if (partitions === undefined) this.#byTopic.set(topic, (partitions = []));
    (gathered ?? (partitions[partition] = { topic, partition, batch: new RecordBatch() })).batch.add(record);
    return true;
  }

  get batches(): PartitionBatch[] {
    // Leaves out the holes of partitions without records.
    return [...this.#byTopic.values()].flat();
  }
}

/** Splits records into requests. */
export function* requests(records: readonly NewRecord[]): Generator<PartitionBatch[]> {
  for (let next = 0; next < records.length; ) {
    const request = new RequestBuilder();
    while (next < records.length && request.add(records[next]!)) next++;
    yield request.batches;
  }
}

/** @throws when a record is too large for the broker at its default settings. */
export function refuseTooLarge(records: readonly NewRecord[]): void {
  const found = records.find((record) => sizeOf(record) > MAX_BATCH_BYTES);
  if (!found) return;
  throw new Error(
    `A record of ${found.value.byteLength} bytes for ${found.topic} (key ${found.key}) is too large for Kafka, which takes ${MAX_BATCH_BYTES} bytes at most: send smaller blocks.`,
  );
}
