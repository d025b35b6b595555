import { crc32c } from '@node-rs/crc32';
import type { NewRecord, RecordHeaders } from '../record.js';
import { sizeOfText, sizeOfUnsigned, type Writer } from './writer.js';

/** Base offset, length, leader epoch, format, checksum. */
const PREFIX = 8 + 4 + 4 + 1 + 4;
/** Attributes, last offset, first and last time, producer id and epoch, first sequence, count: what the checksum covers, with the records. */
const FIELDS = 2 + 4 + 8 + 8 + 8 + 2 + 4 + 4;
const MAGIC = 2;
const TRANSACTIONAL = 0x10;
const LEAST_BYTES = 4_096;
/** Length, attributes, time, place in the batch, lengths of key and value: what a record has beside key, value and headers, at most. */
const FRAMING = 5 + 1 + 1 + 5 + 5 + 5;

/** Who writes a batch, as it stands in it. */
export interface Owner {
  readonly id: bigint;
  readonly epoch: number;
  readonly transactional: boolean;
}

/**
 * A record batch of format 2 (KIP-98) that grows record by record, in the form in which the broker gets it. kafkajs makes a buffer for
 * every record and every header, copies them four times and takes the checksum byte by byte, which costs several times more than all
 * else that a producer does with records of some KiB.
 *
 * Event time is a header: Kafka's own timestamp stays the time of writing, since by it the broker ages records out and forgets
 * idempotent producers, which a replay of last year's data would suffer from at once.
 */
export class RecordBatch {
  #bytes = Buffer.allocUnsafe(LEAST_BYTES);
  #end = PREFIX + FIELDS;
  #count = 0;
  readonly #timeMs: number;
  readonly #headers = new CommonHeaders();

  /** @param timeMs when it is written */
  constructor(timeMs = Date.now()) {
    this.#timeMs = timeMs;
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes of the whole batch. */
  get size(): number {
    return this.#end;
  }

  add({ key, value, timeMs, headers }: NewRecord): void {
    const common = this.#headers.encode(headers);
    const sequence = String(headers.sequence);
    const time = String(timeMs);
    const keyBytes = sizeOfText(key);
    const rest = common.length + SEQUENCE.length + 1 + sequence.length + TIME.length + 1 + time.length;
    const size = 1 + 1 + sizeOfVarint(this.#count) + sizeOfVarint(keyBytes) + keyBytes + sizeOfVarint(value.length) + value.length + rest;
    this.#reserve(FRAMING + size);
    this.#varint(size);
    // No attributes, and the time of the batch.
    this.#bytes[this.#end++] = 0;
    this.#bytes[this.#end++] = 0;
    this.#varint(this.#count);
    this.#varint(keyBytes);
    this.#text(key, keyBytes);
    this.#varint(value.length);
    this.#copy(value);
    this.#copy(common);
    this.#copy(SEQUENCE);
    this.#varint(sequence.length);
    this.#text(sequence, sequence.length);
    this.#copy(TIME);
    this.#varint(time.length);
    this.#text(time, time.length);
    this.#count++;
  }

  /** Writes the batch with its head. @param firstSequence number of its first record, by which the broker tells repetitions */
  write(out: Writer, { id, epoch, transactional }: Owner, firstSequence: number): void {
    const head = out.position;
    out.int64(0n);
    out.int32(this.#end - 12);
    out.int32(0);
    out.int8(MAGIC);
    const checksumAt = out.position;
    out.int32(0);
    out.int16(transactional ? TRANSACTIONAL : 0);
    out.int32(this.#count - 1);
    out.int64(BigInt(this.#timeMs));
    out.int64(BigInt(this.#timeMs));
    out.int64(id);
    out.int16(epoch);
    out.int32(firstSequence);
    out.int32(this.#count);
    this.#bytes.copy(out.bytes, out.position, PREFIX + FIELDS, this.#end);
    out.position = head + this.#end;
    out.bytes.writeUInt32BE(crc32c(out.bytes.subarray(checksumAt + 4, out.position)), checksumAt);
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#end + bytes));
    this.#bytes.copy(larger, 0, 0, this.#end);
    this.#bytes = larger;
  }

  /** Zigzag, as all varints of a record are; none is negative. */
  #varint(value: number): void {
    let rest = 2 * value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#bytes[this.#end++] = (rest % 128) | 0x80;
    this.#bytes[this.#end++] = rest;
  }

  #copy(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  #text(text: string, bytes: number): void {
    if (bytes === text.length) for (let i = 0; i < bytes; i++) this.#bytes[this.#end + i] = text.charCodeAt(i);
    else this.#bytes.write(text, this.#end);
    this.#end += bytes;
  }
}

const sizeOfVarint = (value: number): number => sizeOfUnsigned(2 * value);

/** Schema, source and trace of records in a row are mostly the same: their headers are then encoded once. */
class CommonHeaders {
  #last: RecordHeaders | undefined;
  #bytes = Buffer.alloc(0);

  /** The number of headers, and all but sequence and time. */
  encode(headers: RecordHeaders): Buffer {
    const last = this.#last;
    if (last === undefined || last.source !== headers.source || last.schema !== headers.schema || last.traceparent !== headers.traceparent) {
      const { schema, source, traceparent } = headers;
      const trace = traceparent === undefined ? [] : [name('traceparent'), data(traceparent)];
      this.#bytes = Buffer.concat([varint(4 + trace.length / 2), name('schema'), data(schema), name('source'), data(source), ...trace]);
      this.#last = headers;
    }
    return this.#bytes;
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = 2 * value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.from([...bytes, rest]);
}

function data(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([varint(bytes.length), bytes]);
}

const name = data;
const SEQUENCE = name('sequence');
const TIME = name('time');
