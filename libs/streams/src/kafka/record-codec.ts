import type { IHeaders, KafkaMessage, Message } from 'kafkajs';
import type { LogRecord, NewRecord, RecordHeaders } from '../record.js';

/** Bytes that a record takes beside its value, generously: framing, time, header names and the headers of usual length. */
const OVERHEAD = 256;

/** Bytes of a record in a batch, or a little more. */
export const sizeOf = (record: NewRecord): number => record.value.byteLength + 3 * (record.key.length + record.headers.source.length) + OVERHEAD;

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * Makes of records what kafkajs writes; headers are UTF-8 text. Event time is a header too: Kafka's own timestamp stays the time of
 * writing, since by it the broker ages records out and forgets idempotent producers, which a replay of last year's data would suffer
 * from at once. Records in a row mostly share schema, source and trace, which are then encoded once.
 */
export class RecordWriter {
  readonly #schema = new RepeatedText();
  readonly #source = new RepeatedText();
  readonly #traceparent = new RepeatedText();

  write(record: NewRecord): Message {
    const { schema, source, sequence, traceparent } = record.headers;
    const headers: IHeaders = { schema: this.#schema.encode(schema), source: this.#source.encode(source), sequence: `${sequence}`, time: `${record.timeMs}` };
    if (traceparent !== undefined) headers['traceparent'] = this.#traceparent.encode(traceparent);
    return { partition: record.partition, key: record.key, value: asBuffer(record.value), headers };
  }
}

/** Reads the records of one partition; records in a row mostly share schema and source, which are then the same string. */
export class RecordReader {
  readonly #schema = new RepeatedBytes();
  readonly #source = new RepeatedBytes();

  constructor(
    private readonly topic: string,
    private readonly partition: number,
  ) {}

  read(message: KafkaMessage): LogRecord {
    const traceparent = message.headers?.['traceparent'];
    const headers: RecordHeaders = {
      schema: this.#schema.read(message.headers?.['schema']),
      source: this.#source.read(message.headers?.['source']),
      sequence: Number(message.headers?.['sequence'] ?? 0),
      ...(traceparent === undefined ? undefined : { traceparent: String(traceparent) }),
    };
    return {
      topic: this.topic,
      partition: this.partition,
      key: message.key?.toString() ?? '',
      value: message.value ?? EMPTY,
      timeMs: Number(message.headers?.['time'] ?? message.timestamp),
      headers,
      offset: Number(message.offset),
    };
  }
}

const EMPTY = new Uint8Array(0);

/** Text that is often the same as the last time. */
class RepeatedText {
  #text = '';
  #bytes = Buffer.alloc(0);

  encode(text: string): Buffer {
    if (text !== this.#text) {
      this.#text = text;
      this.#bytes = Buffer.from(text);
    }
    return this.#bytes;
  }
}

/** Bytes of a text that are often the same as the last time. */
class RepeatedBytes {
  #bytes: Uint8Array = EMPTY;
  #text = '';

  read(header: IHeaders[string]): string {
    if (!Buffer.isBuffer(header)) return header === undefined ? '' : String(header);
    if (!header.equals(this.#bytes)) {
      this.#bytes = header;
      this.#text = header.toString();
    }
    return this.#text;
  }
}
