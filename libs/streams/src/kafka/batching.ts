import type { Message, TopicMessages } from 'kafkajs';
import type { NewRecord } from '../record.js';
import { RecordWriter, sizeOf } from './record-codec.js';

/** The broker refuses a batch of one partition above 1 MiB (message.max.bytes, 1048588 by default) and does not say so as something to retry. */
export const MAX_BATCH_BYTES = 1_000_000;
/** All partitions of one request together. */
const MAX_REQUEST_BYTES = 4_000_000;

/** Gathers the records of one request to the broker: below the limit of each partition, in order. */
export class RequestBuilder {
  /** By topic: its messages, and their bytes by partition. */
  readonly #byTopic = new Map<string, { readonly messages: Message[]; readonly bytes: number[] }>();
  readonly #writer = new RecordWriter();
  #total = 0;

  /** Adds a record, or returns false when it has to go with the next request. A record is always taken when it is the first. */
  add(record: NewRecord): boolean {
    const size = sizeOf(record);
    let gathered = this.#byTopic.get(record.topic);
    const bytes = (gathered?.bytes[record.partition] ?? 0) + size;
    if (this.#total > 0 && (bytes > MAX_BATCH_BYTES || this.#total + size > MAX_REQUEST_BYTES)) return false;
    this.#total += size;
    if (gathered === undefined) this.#byTopic.set(record.topic, (gathered = { messages: [], bytes: [] }));
    gathered.messages.push(this.#writer.write(record));
    gathered.bytes[record.partition] = bytes;
    return true;
  }

  get topicMessages(): TopicMessages[] {
    return [...this.#byTopic].map(([topic, { messages }]) => ({ topic, messages }));
  }
}

/** Splits records into requests. */
export function* requests(records: readonly NewRecord[]): Generator<TopicMessages[]> {
  for (let next = 0; next < records.length; ) {
    const request = new RequestBuilder();
    while (next < records.length && request.add(records[next]!)) next++;
    yield request.topicMessages;
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
