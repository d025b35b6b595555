import { createRequire } from 'node:module';
import { crc32c } from '@node-rs/crc32';
import type { IHeaders, Message } from 'kafkajs';

/** What kafkajs knows of a produce request; ids may be its own kind of 64-bit number, which prints in decimal. */
export interface ProduceRequest {
  readonly acks: number;
  readonly timeout: number;
  readonly compression: number;
  readonly transactionalId?: string | null;
  readonly producerId: number | string | { toString(): string };
  readonly producerEpoch: number;
  readonly topicData: readonly { readonly topic: string; readonly partitions: readonly PartitionData[] }[];
}

interface PartitionData {
  readonly partition: number;
  readonly firstSequence: number;
  readonly messages: readonly Message[];
}

interface ProduceApi {
  protocol(of: { version: number | string }): (request: ProduceRequest) => { readonly request: object; readonly response: unknown };
}

/** One of kafkajs's encoders: what was written is the first `offset` bytes of `buf`. */
interface Encoder {
  buf: Buffer;
  offset: number;
  readonly buffer: Buffer;
  writeEncoder(body: Encoder): Encoder;
}

/** An encoder with room in front of what was written, `room` bytes of `whole`. */
type Roomy = Encoder & { [ROOM]?: { readonly whole: Buffer; readonly bytes: number } };

const ROOM = Symbol('room');
/** The first version with record batches of format 2, which all later ones that kafkajs speaks have as well. */
const FIRST_VERSION = 3;
/** Room for what kafkajs puts in front of a body: size, kind and version of the request, correlation and client id. */
const HEAD_ROOM = 256;
/** Base offset, length, leader epoch, format, checksum. */
const BATCH_PREFIX = 8 + 4 + 4 + 1 + 4;
/** Attributes, last offset, first and last time, producer id and epoch, first sequence, count: what the checksum covers, with the records. */
const BATCH_FIELDS = 2 + 4 + 8 + 8 + 8 + 2 + 4 + 4;
const MAGIC = 2;
/** The greatest length that is a varint of one byte. */
const SHORT = 63;
const TRANSACTIONAL = 0x10;

/**
 * Has kafkajs encode produce requests in one pass: it makes a buffer for every record and every header, copies them four times and takes
 * the checksum byte by byte, which costs several times more than all else that a producer does with records of some KiB. Requests with
 * compression are left alone.
 */
export function encodeInOnePass(): void {
  const require = createRequire(import.meta.url);
  const api = require('kafkajs/src/protocol/requests/produce') as ProduceApi;
  if (Object.hasOwn(api, PATCHED)) return;
  Object.defineProperty(api, PATCHED, { value: true });
  const original = api.protocol;
  api.protocol = ({ version }) => {
    const make = original({ version });
    if (Number(version) < FIRST_VERSION) return make;
    return (fields) => {
      const made = make(fields);
      return fields.compression === 0 ? { ...made, request: { ...made.request, encode: () => Promise.resolve(roomy(fields)) } } : made;
    };
  };
  prependWhereThereIsRoom((require('kafkajs/src/protocol/encoder') as { readonly prototype: Encoder }).prototype);
}

const PATCHED = Symbol.for('millwright.kafkajs.produce');

/** A body as kafkajs takes it in place of one of its encoders. */
function roomy(request: ProduceRequest): Pick<Roomy, 'buf' | 'buffer' | typeof ROOM> {
  const whole = encodeProduce(request, HEAD_ROOM);
  const buffer = whole.subarray(HEAD_ROOM);
  return { buf: buffer, buffer, [ROOM]: { whole, bytes: HEAD_ROOM } };
}

/** An encoder that is to append a body with room in front puts what it has into that room, and the body, megabytes of it, stays where it is. */
function prependWhereThereIsRoom(prototype: Encoder): void {
  const append = prototype.writeEncoder;
  prototype.writeEncoder = function (this: Roomy, body: Roomy): Encoder {
    const room = body[ROOM];
    if (room === undefined || room.bytes < this.offset) return append.call(this, body);
    const start = room.bytes - this.offset;
    this.buffer.copy(room.whole, start);
    this.buf = room.whole.subarray(start);
    this.offset = this.buf.length;
    this[ROOM] = { whole: room.whole, bytes: start };
    return this;
  };
}

/**
 * Body of a produce request, version 3 to 8 (KIP-98): transactional id, acks, timeout, and a record batch for each partition.
 * @param headRoom bytes to leave in front
 */
export function encodeProduce({ acks, timeout, transactionalId, producerId, producerEpoch, topicData }: ProduceRequest, headRoom = 0): Buffer {
  const batches = topicData.map(({ partitions }) => partitions.map((data) => new Batch(data)));
  let size = sizeOfString(transactionalId) + 2 + 4 + 4;
  topicData.forEach(({ topic }, t) => {
    size += sizeOfString(topic) + 4;
    for (const batch of batches[t]!) size += 4 + 4 + batch.size;
  });
  const out = new Writer(headRoom + size);
  out.position = headRoom;
  out.string(transactionalId);
  out.int16(acks);
  out.int32(timeout);
  out.int32(topicData.length);
  const owner = { id: BigInt(String(producerId)), epoch: producerEpoch, transactional: Boolean(transactionalId) };
  topicData.forEach(({ topic, partitions }, t) => {
    out.string(topic);
    out.int32(partitions.length);
    partitions.forEach(({ partition }, p) => {
      const batch = batches[t]![p]!;
      out.int32(partition);
      out.int32(batch.size);
      batch.write(out, owner);
    });
  });
  return out.bytes;
}

interface Owner {
  readonly id: bigint;
  readonly epoch: number;
  readonly transactional: boolean;
}

/** A record batch of format 2; sizes come first, so that it is written where it belongs at once. */
class Batch {
  /** Bytes of the whole batch. */
  readonly size: number;
  readonly #data: PartitionData;
  readonly #firstMs: number;
  readonly #lastMs: number;
  readonly #times: Float64Array;
  /** Length that stands before each record. */
  readonly #lengths: Int32Array;

  constructor(data: PartitionData) {
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

type Data = Buffer | string | null | undefined;

function countOf(headers: IHeaders | undefined): number {
  let count = 0;
  for (const name in headers) count += valuesOf(headers[name]).length;
  return count;
}

const valuesOf = (value: IHeaders[string]): readonly Data[] => (Array.isArray(value) ? value : [value]);

const sizeOfString = (text: string | null | undefined): number => 2 + (text === undefined || text === null ? 0 : Buffer.byteLength(text));

function sizeOfData(data: Data): number {
  if (data === null || data === undefined) return 1;
  const length = typeof data === 'string' ? sizeOfText(data) : data.length;
  return sizeOfVarint(length) + length;
}

/** Bytes of a text as UTF-8. Keys and headers are short and mostly ASCII: that is sooner seen than asked for outside of JavaScript. */
function sizeOfText(text: string): number {
  return isShortAscii(text) ? text.length : Buffer.byteLength(text);
}

function isShortAscii(text: string): boolean {
  if (text.length > SHORT) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) >= 0x80) return false;
  return true;
}

/** Bytes of a whole number of up to 53 bits as a zigzag varint (protobuf's sint64). */
function sizeOfVarint(value: number): number {
  let rest = value >= 0 ? 2 * value : -2 * value - 1;
  let size = 1;
  for (; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** Writes into a buffer of known size. */
class Writer {
  readonly bytes: Buffer;
  position = 0;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafe(size);
  }

  int8(value: number): void {
    this.bytes[this.position++] = value;
  }

  int16(value: number): void {
    this.position = this.bytes.writeInt16BE(value, this.position);
  }

  int32(value: number): void {
    this.position = this.bytes.writeInt32BE(value, this.position);
  }

  int64(value: bigint): void {
    this.position = this.bytes.writeBigInt64BE(value, this.position);
  }

  string(text: string | null | undefined): void {
    if (text === null || text === undefined) return this.int16(-1);
    this.int16(Buffer.byteLength(text));
    this.position += this.bytes.write(text, this.position);
  }

  varint(value: number): void {
    let rest = value >= 0 ? 2 * value : -2 * value - 1;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.bytes[this.position++] = (rest % 128) | 0x80;
    this.bytes[this.position++] = rest;
  }

  varintData(data: Data): void {
    if (data === null || data === undefined) return this.varint(-1);
    if (typeof data === 'string') {
      if (this.#writeShort(data)) return;
      this.varint(Buffer.byteLength(data));
      this.position += this.bytes.write(data, this.position);
    } else {
      this.varint(data.length);
      this.bytes.set(data, this.position);
      this.position += data.length;
    }
  }
  /** Writes a text whose length takes one byte, if it is ASCII; in vain otherwise, which does no harm since the text is to go there anyway. */
  #writeShort(text: string): boolean {
    if (text.length > SHORT) return false;
    const from = this.position + 1;
    let bits = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      bits |= code;
      this.bytes[from + i] = code;
    }
    if (bits >= 0x80) return false;
    this.bytes[this.position] = 2 * text.length;
    this.position = from + text.length;
    return true;
  }
}
