import { crc32c } from '@node-rs/crc32';
import type { NewRecord, RecordHeaders } from '../record.js';
import { sizeOfText, sizeOfUnsigned, Writer } from './writer.js';

/** Base offset, length, leader epoch, format, checksum. */
const PREFIX = 8 + 4 + 4 + 1 + 4;
/** Attributes, last offset, first and last time, producer id and epoch, first sequence, count: what the checksum covers, with the records. */
const FIELDS = 2 + 4 + 8 + 8 + 8 + 2 + 4 + 4;
const MAGIC = 2;
const TRANSACTIONAL = 0x10;

/** Who writes a batch, as it stands in it. */
export interface Owner {
  readonly id: bigint;
  readonly epoch: number;
  readonly transactional: boolean;
}

/**
 * A record batch of format 2 (KIP-98), of which the size is known all the time, so that it is written where it belongs at once. kafkajs
 * makes a buffer for every record and every header, copies them four times and takes the checksum byte by byte, which costs several
 * times more than all else that a producer does with records of some KiB.
 *
 * Event time is a header: Kafka's own timestamp stays the time of writing, since by it the broker ages records out and forgets
 * idempotent producers, which a replay of last year's data would suffer from at once.
 */
export class RecordBatch {
  readonly #records: NewRecord[] = [];
  /** Length that stands before each record. */
  readonly #lengths: number[] = [];
  #size = PREFIX + FIELDS;
  readonly #timeMs: number;
  readonly #headers = new CommonHeaders();

  /** @param timeMs when it is written */
  constructor(timeMs = Date.now()) {
    this.#timeMs = timeMs;
  }

  get count(): number {
    return this.#records.length;
  }

  /** Bytes of the whole batch. */
  get size(): number {
    return this.#size;
  }

  add(record: NewRecord): void {
    const { key, value, timeMs, headers } = record;
    const attributesAndTime = 1 + 1;
    const length =
      attributesAndTime + sizeOfVarint(this.#records.length) + sizeOfData(sizeOfText(key)) + sizeOfData(value.length) +
      this.#headers.encode(headers).length + SEQUENCE.length + sizeOfData(sizeOfNumber(headers.sequence)) + TIME.length + sizeOfData(sizeOfNumber(timeMs));
    this.#records.push(record);
    this.#lengths.push(length);
    this.#size += sizeOfData(length);
  }

  /** @param firstSequence number of its first record, by which the broker tells repetitions */
  write(out: Writer, { id, epoch, transactional }: Owner, firstSequence: number): void {
    out.int64(0n);
    out.int32(this.#size - 12);
    out.int32(0);
    out.int8(MAGIC);
    const checksumAt = out.position;
    out.int32(0);
    out.int16(transactional ? TRANSACTIONAL : 0);
    out.int32(this.count - 1);
    out.int64(BigInt(this.#timeMs));
    out.int64(BigInt(this.#timeMs));
    out.int64(id);
    out.int16(epoch);
    out.int32(firstSequence);
    out.int32(this.count);
    for (let i = 0; i < this.#records.length; i++) this.#writeRecord(out, this.#records[i]!, i);
    out.bytes.writeUInt32BE(crc32c(out.bytes.subarray(checksumAt + 4, out.position)), checksumAt);
  }

  #writeRecord(out: Writer, { key, value, timeMs, headers }: NewRecord, i: number): void {
    out.varint(this.#lengths[i]!);
    // No attributes, and the time of the batch.
    out.int8(0);
    out.int8(0);
    out.varint(i);
    out.varintText(key);
    out.varint(value.length);
    out.copy(value);
    out.copy(this.#headers.encode(headers));
    out.copy(SEQUENCE);
    out.varintText(String(headers.sequence));
    out.copy(TIME);
    out.varintText(String(timeMs));
  }
}

/** Bytes of a number in decimal: it is mostly a whole one that is not negative. */
function sizeOfNumber(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) return String(value).length;
  let digits = 1;
  for (let power = 10; power <= value; power *= 10) digits++;
  return digits;
}

const sizeOfVarint = (value: number): number => sizeOfUnsigned(2 * value);
/** Bytes of data of a length, which stands before them. */
const sizeOfData = (length: number): number => sizeOfVarint(length) + length;

/** Schema, source and trace of records in a row are mostly the same: their headers are then encoded once. */
class CommonHeaders {
  #last: RecordHeaders | undefined;
  #bytes: Buffer = Buffer.alloc(0);

  /** The number of headers, and all but sequence and time. */
  encode(headers: RecordHeaders): Buffer {
    const last = this.#last;
    if (last === undefined || last.source !== headers.source || last.schema !== headers.schema || last.traceparent !== headers.traceparent) {
      const { schema, source, traceparent } = headers;
      const texts = ['schema', schema, 'source', source, ...(traceparent === undefined ? [] : ['traceparent', traceparent])];
      const count = texts.length / 2 + 2;
      // A number that small is a varint of one byte.
      this.#bytes = Buffer.concat([Buffer.of(2 * count), encodeTexts(texts)]);
      this.#last = headers;
    }
    return this.#bytes;
  }
}

const SEQUENCE = encodeTexts(['sequence']);
const TIME = encodeTexts(['time']);

/** Texts, each with its length before it. */
function encodeTexts(texts: readonly string[]): Buffer {
  const out = new Writer(texts.reduce((size, text) => size + sizeOfData(sizeOfText(text)), 0));
  for (const text of texts) out.varintText(text);
  return out.bytes;
}
