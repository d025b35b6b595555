import { crc32c } from '@node-rs/crc32';
import type { IHeaders, Message } from 'kafkajs';
import { sizeOfData, sizeOfVarint, type Data, type Writer } from './writer.js';

/** Base offset, length, leader epoch, format, checksum. */
const BATCH_PREFIX = 8 + 4 + 4 + 1 + 4;
/** Attributes, last offset, first and last time, producer id and epoch, first sequence, count: what the checksum covers, with the records. */
const BATCH_FIELDS = 2 + 4 + 8 + 8 + 8 + 2 + 4 + 4;
const MAGIC = 2;
const TRANSACTIONAL = 0x10;

/** Records of a producer for one partition. */
export interface Records {
  /** Number of the first, by which the broker tells repetitions. */
  readonly firstSequence: number;
  readonly messages: readonly Message[];
}

/** Who writes a batch, as it stands in it. */
export interface Owner {
  readonly id: bigint;
  readonly epoch: number;
  readonly transactional: boolean;
}

/** A record batch of format 2; sizes come first, so that it is written where it belongs at once. */
export class RecordBatch {
  /** Bytes of the whole batch. */
  readonly size: number;
  readonly #data: Records;
  readonly #firstMs: number;
  readonly #lastMs: number;
  readonly #times: Float64Array;
  /** Length that stands before each record. */
  readonly #lengths: Int32Array;

  constructor(data: Records) {
    this.#data = data;
    const { messages } = data;
    const nowMs = Date.now();
    this.#times = Float64Array.from(messages, ({ timestamp }) => (timestamp === undefined ? nowMs : Number(timestamp)));
    this.#firstMs = this.#times.reduce((least, time) => Math.min(least, time), Infinity);
    this.#lastMs = this.#times.reduce((most, time) => Math.max(most, time), -Infinity);
    this.#lengths = Int32Array.from(messages, (message, i) => 1 + sizeOfVarint(this.#times[i]! - this.#firstMs) + sizeOfVarint(i) + sizeOfBody(message));
    this.size = BATCH_PREFIX + BATCH_FIELDS + this.#lengths.reduce((sum, length) => sum + sizeOfVarint(length) + length, 0);
  }

  write(out: Writer, { id, epoch, transactional }: Owner): void {
    const { messages, firstSequence } = this.#data;
    out.int64(0n);
    out.int32(this.size - 12);
    out.int32(0);
    out.int8(MAGIC);
    const checksumAt = out.position;
    out.int32(0);
    out.int16(transactional ? TRANSACTIONAL : 0);
    out.int32(messages.length - 1);
    out.int64(BigInt(this.#firstMs));
    out.int64(BigInt(this.#lastMs));
    out.int64(id);
    out.int16(epoch);
    out.int32(firstSequence);
    out.int32(messages.length);
    messages.forEach((message, i) => {
      out.varint(this.#lengths[i]!);
      out.int8(0);
      out.varint(this.#times[i]! - this.#firstMs);
      out.varint(i);
      writeBody(out, message);
    });
    out.bytes.writeUInt32BE(crc32c(out.bytes.subarray(checksumAt + 4, out.position)), checksumAt);
  }
}

/** Key, value and headers of a record. */
function writeBody(out: Writer, { key, value, headers }: Message): void {
  out.varintData(key);
  out.varintData(value);
  out.varint(countOf(headers));
  for (const name in headers) {
    for (const each of valuesOf(headers[name])) {
      out.varintData(name);
      out.varintData(each);
    }
  }
}

function sizeOfBody({ key, value, headers }: Message): number {
  let size = sizeOfData(key) + sizeOfData(value) + sizeOfVarint(countOf(headers));
  for (const name in headers) for (const each of valuesOf(headers[name])) size += sizeOfData(name) + sizeOfData(each);
  return size;
}

function countOf(headers: IHeaders | undefined): number {
  let count = 0;
  for (const name in headers) count += valuesOf(headers[name]).length;
  return count;
}

const valuesOf = (value: IHeaders[string]): readonly Data[] => (Array.isArray(value) ? value : [value]);
