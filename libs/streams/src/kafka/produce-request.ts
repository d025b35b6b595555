import { createRequire } from 'node:module';
import { RecordBatch, type Records } from './record-batch.js';
import { sizeOfCompactString, sizeOfString, sizeOfUnsigned, Writer } from './writer.js';

/** What kafkajs knows of a produce request; ids may be its own kind of 64-bit number, which prints in decimal. */
export interface ProduceRequest {
  readonly acks: number;
  readonly timeout: number;
  readonly compression: number;
  readonly transactionalId?: string | null;
  readonly producerId: number | string | { toString(): string };
  readonly producerEpoch: number;
  readonly topicData: readonly { readonly topic: string; readonly partitions: readonly (Records & { readonly partition: number })[] }[];
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
/** Number of tagged fields. */
const NO_TAGS = 0;

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
      return fields.compression === 0 ? { ...made, request: { ...made.request, encode: () => Promise.resolve(roomy((headRoom) => encodeProduce(fields, headRoom))) } } : made;
    };
  };
  prependWhereThereIsRoom((require('kafkajs/src/protocol/encoder') as { readonly prototype: Encoder }).prototype);
}

const PATCHED = Symbol.for('millwright.kafkajs.produce');

/**
 * A body as kafkajs takes it in place of one of its encoders.
 * @param encode makes it, with so many bytes left in front
 */
export function roomy(encode: (headRoom: number) => Buffer): Pick<Roomy, 'buf' | 'buffer' | typeof ROOM> {
  const whole = encode(HEAD_ROOM);
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
  const batches = topicData.map(({ partitions }) => partitions.map((data) => new RecordBatch(data)));
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

/**
 * Body of a produce request of version 9 to 12 (KIP-482): the same with lengths as varints, each one more than it is, and a place for tagged
 * fields, here without any, at the end of each structure and in front of them all, where it belongs to the request's header.
 * @param headRoom bytes to leave in front
 */
export function encodeFlexibleProduce({ acks, timeout, transactionalId, producerId, producerEpoch, topicData }: ProduceRequest, headRoom = 0): Buffer {
  const batches = topicData.map(({ partitions }) => partitions.map((data) => new RecordBatch(data)));
  let size = 1 + sizeOfCompactString(transactionalId) + 2 + 4 + sizeOfUnsigned(topicData.length + 1) + 1;
  topicData.forEach(({ topic, partitions }, t) => {
    size += sizeOfCompactString(topic) + sizeOfUnsigned(partitions.length + 1) + 1;
    for (const batch of batches[t]!) size += 4 + sizeOfUnsigned(batch.size + 1) + batch.size + 1;
  });
  const out = new Writer(headRoom + size);
  out.position = headRoom;
  out.unsigned(NO_TAGS);
  out.compactString(transactionalId);
  out.int16(acks);
  out.int32(timeout);
  out.unsigned(topicData.length + 1);
  const owner = { id: BigInt(String(producerId)), epoch: producerEpoch, transactional: Boolean(transactionalId) };
  topicData.forEach(({ topic, partitions }, t) => {
    out.compactString(topic);
    out.unsigned(partitions.length + 1);
    partitions.forEach(({ partition }, p) => {
      const batch = batches[t]![p]!;
      out.int32(partition);
      out.unsigned(batch.size + 1);
      batch.write(out, owner);
      out.unsigned(NO_TAGS);
    });
    out.unsigned(NO_TAGS);
  });
  out.unsigned(NO_TAGS);
  return out.bytes;
}
