import type { IHeaders, KafkaMessage } from 'kafkajs';
import type { LogRecord, RecordHeaders } from '../record.js';

/** Reads the records of one partition; records in a row mostly share schema and source, which are then the same string. */
export class RecordReader {
  readonly #schema = new RepeatedBytes();
  readonly #source = new RepeatedBytes();
  readonly #traceparent = new RepeatedBytes();

  constructor(
    private readonly topic: string,
    private readonly partition: number,
  ) {}

  read(message: KafkaMessage): LogRecord {
    const { schema, source, sequence, time, traceparent } = message.headers ?? NO_HEADERS;
    const common = { schema: this.#schema.read(schema), source: this.#source.read(source), sequence: numberOf(sequence) ?? 0 };
    const headers: RecordHeaders = traceparent === undefined ? common : { ...common, traceparent: this.#traceparent.read(traceparent) };
    return {
      topic: this.topic,
      partition: this.partition,
      key: message.key?.toString() ?? '',
      value: message.value ?? EMPTY,
      timeMs: numberOf(time) ?? Number(message.timestamp),
      headers,
      offset: Number(message.offset),
    };
  }
}

const EMPTY = new Uint8Array(0);
const NO_HEADERS: IHeaders = {};
/** So many are exact in any order of calculation. */
const MAX_DIGITS = 15;

/** The number that stands in a header; undefined where there is none. Digits are read as they come, without making a text of them first. */
function numberOf(header: IHeaders[string]): number | undefined {
  if (header === undefined) return undefined;
  if (!Buffer.isBuffer(header) || header.length > MAX_DIGITS) return Number(header);
  let value = 0;
  for (let i = 0; i < header.length; i++) {
    const digit = header[i]! - 0x30;
    if (digit < 0 || digit > 9) return Number(header);
    value = 10 * value + digit;
  }
  return value;
}

/** Bytes of a text that are often the same as the last time. */
class RepeatedBytes {
  #bytes: Uint8Array = EMPTY;
  #text = '';

  read(header: IHeaders[string]): string {
    if (!Buffer.isBuffer(header)) return header === undefined ? '' : String(header);
    if (header !== this.#bytes && !header.equals(this.#bytes)) {
      this.#bytes = header;
      this.#text = header.toString();
    }
    return this.#text;
  }
}
