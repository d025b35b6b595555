import { createRequire } from 'node:module';

/** A fetch response as kafkajs has it; offsets, times and ids are decimal strings. */
export interface FetchResponse {
  /** Always 0: the broker has not waited, but asks the client to. */
  readonly throttleTime: number;
  readonly clientSideThrottleTime: number;
  readonly errorCode: number;
  readonly sessionId: number;
  readonly responses: readonly { readonly topicName: string; readonly partitions: readonly FetchedPartition[] }[];
}

interface FetchedPartition {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: string;
  readonly lastStableOffset: string;
  readonly lastStartOffset: string;
  readonly abortedTransactions: readonly { readonly producerId: string; readonly firstOffset: string }[];
  readonly preferredReadReplica: number;
  readonly messages: readonly FetchedMessage[];
}

interface BatchContext {
  readonly firstOffset: string;
  readonly firstTimestamp: string;
  readonly partitionLeaderEpoch: number;
  readonly inTransaction: boolean;
  readonly isControlBatch: boolean;
  readonly lastOffsetDelta: number;
  readonly producerId: string;
  readonly producerEpoch: number;
  readonly firstSequence: number;
  readonly maxTimestamp: string;
  readonly timestampType: number;
  readonly magicByte: number;
}

type Header = Buffer | null | (Buffer | null)[];

interface FetchedMessage {
  readonly magicByte: number;
  readonly attributes: number;
  readonly timestamp: string;
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Record<string, Header>;
  readonly isControlRecord: boolean;
  readonly batchContext: BatchContext;
}

interface FetchProtocol {
  readonly request: object;
  readonly response: { decode(raw: Buffer): Promise<FetchResponse>; readonly parse: unknown };
}

interface FetchApi {
  protocol(of: { version: number | string }): (request: object) => FetchProtocol;
}

/** The version that is read here: the highest that kafkajs speaks, which every broker since 2.3 does. */
const VERSION = 11;
const MAGIC = 2;
/** kafkajs looks at no batch that has less than this. */
const LEAST_BATCH = 49;
const COMPRESSION = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

/**
 * Has kafkajs decode fetched records in one pass: it makes a decoder and a big integer or two for every record and number, and an object
 * for every header, which costs more than all else that a consumer does. Responses with compressed batches, or with message sets of
 * before Kafka 0.11, are left alone.
 */
export function decodeInOnePass(): void {
  const api = createRequire(import.meta.url)('kafkajs/src/protocol/requests/fetch') as FetchApi;
  if (Object.hasOwn(api, PATCHED)) return;
  Object.defineProperty(api, PATCHED, { value: true });
  const original = api.protocol;
  api.protocol = ({ version }) => {
    const make = original({ version });
    if (Number(version) !== VERSION) return make;
    return (fields) => {
      const made = make(fields);
      const { response } = made;
      return { ...made, response: { ...response, decode: (raw) => Promise.resolve(decodeFetch(raw) ?? response.decode(raw)) } };
    };
  };
}

const PATCHED = Symbol.for('millwright.kafkajs.fetch');

/** Reads a response of version 11, or returns undefined where it holds what only kafkajs reads. */
export function decodeFetch(raw: Buffer): FetchResponse | undefined {
  const input = new Input(raw);
  const clientSideThrottleTime = input.int32();
  const errorCode = input.int16();
  const sessionId = input.int32();
  const responses: { topicName: string; partitions: FetchedPartition[] }[] = [];
  for (let topics = input.int32(); topics > 0; topics--) {
    const topicName = input.text(input.int16());
    const partitions: FetchedPartition[] = [];
    for (let left = input.int32(); left > 0; left--) {
      const partition = decodePartition(input);
      if (partition === undefined) return undefined;
      partitions.push(partition);
    }
    responses.push({ topicName, partitions });
  }
  return { throttleTime: 0, clientSideThrottleTime, errorCode, sessionId, responses };
}

function decodePartition(input: Input): FetchedPartition | undefined {
  const partition = input.int32();
  const errorCode = input.int16();
  const highWatermark = `${input.int64()}`;
  const lastStableOffset = `${input.int64()}`;
  const lastStartOffset = `${input.int64()}`;
  const abortedTransactions: { producerId: string; firstOffset: string }[] = [];
  for (let left = input.int32(); left > 0; left--) abortedTransactions.push({ producerId: `${input.int64()}`, firstOffset: `${input.int64()}` });
  const preferredReadReplica = input.int32();
  const messages: FetchedMessage[] = [];
  const bytes = input.int32();
  const end = input.at + Math.max(0, bytes);
  if (end <= input.bytes.length) {
    while (end - input.at >= LEAST_BATCH) {
      const base = input.int64();
      const batchEnd = input.at + 4 + input.int32();
      // The broker cuts the last batch off where the limit of the fetch is reached.
      if (batchEnd > end) break;
      if (!decodeBatch(input, base, messages)) return undefined;
      input.at = batchEnd;
    }
    input.at = end;
  }
  return { partition, errorCode, highWatermark, lastStableOffset, lastStartOffset, abortedTransactions, preferredReadReplica, messages };
}

/** Adds the records of a batch, from behind its length; returns false when it is of another format or compressed. */
function decodeBatch(input: Input, base: number, messages: FetchedMessage[]): boolean {
  const partitionLeaderEpoch = input.int32();
  const magicByte = input.int8();
  // The checksum is passed over: TCP has one, and so has the broker's disk.
  input.at += 4;
  const attributes = input.int16();
  if (magicByte !== MAGIC || (attributes & COMPRESSION) !== 0) return false;
  const lastOffsetDelta = input.int32();
  const firstTime = input.int64();
  const maxTimestamp = `${input.int64()}`;
  const producerId = `${input.int64()}`;
  const producerEpoch = input.int16();
  const firstSequence = input.int32();
  const isControlBatch = (attributes & CONTROL) !== 0;
  const timeOfAppend = (attributes & LOG_APPEND_TIME) !== 0;
  const batchContext: BatchContext = {
    firstOffset: `${base}`, firstTimestamp: `${firstTime}`, partitionLeaderEpoch, inTransaction: (attributes & TRANSACTIONAL) !== 0, isControlBatch,
    lastOffsetDelta, producerId, producerEpoch, firstSequence, maxTimestamp, timestampType: timeOfAppend ? 1 : 0, magicByte,
  };
  for (let left = input.int32(); left > 0; left--) {
    input.varint(); // the record's length
    const recordAttributes = input.int8();
    const timeDelta = input.varint();
    const offset = `${base + input.varint()}`;
    const key = input.slice(input.varint());
    const value = input.slice(input.varint());
    const headers: Record<string, Header> = {};
    for (let i = 0, count = input.varint(); i < count; i++) addHeader(headers, input.name(input.varint(), i), input.repeated(input.varint(), i));
    const timestamp = timeOfAppend ? maxTimestamp : `${firstTime + timeDelta}`;
    messages.push({ magicByte, attributes: recordAttributes, timestamp, offset, key, value, headers, isControlRecord: isControlBatch, batchContext });
  }
  return true;
}

/** Of headers with one name, kafkajs makes a list. */
function addHeader(headers: Record<string, Header>, name: string, value: Buffer | null): void {
  if (!(name in headers)) {
    headers[name] = value;
    return;
  }
  const before = Object.hasOwn(headers, name) ? headers[name]! : undefined;
  const all = before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value];
  // Not an assignment: __proto__ is a name like any other.
  Object.defineProperty(headers, name, { value: all, enumerable: true, configurable: true, writable: true });
}

/** Names of headers, by their place in the record: mostly those of the record before. */
const names: { bytes: Buffer; text: string }[] = [];
/** Headers of a record whose names and values are remembered. */
const MAX_PLACES = 16;

/** Reads from a buffer, forward. Numbers of 64 bits are exact up to 2^53, which offsets, times in ms and producer ids stay below. */
class Input {
  readonly bytes: Buffer;
  at = 0;
  /** Values of headers, by their place in the record. */
  readonly #values: Buffer[] = [];

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  int8(): number {
    return this.bytes.readInt8(this.at++);
  }

  int16(): number {
    const value = this.bytes.readInt16BE(this.at);
    this.at += 2;
    return value;
  }

  int32(): number {
    const value = this.bytes.readInt32BE(this.at);
    this.at += 4;
    return value;
  }

  int64(): number {
    const high = this.bytes.readInt32BE(this.at);
    const low = this.bytes.readUInt32BE(this.at + 4);
    this.at += 8;
    return high * 2 ** 32 + low;
  }

  /** Zigzag-encoded, of up to 64 bits. */
  varint(): number {
    let byte = this.bytes[this.at++]!;
    let value = byte & 0x7f;
    for (let scale = 128; byte >= 0x80; scale *= 128) {
      byte = this.bytes[this.at++]!;
      value += (byte & 0x7f) * scale;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** Of these many bytes, without a copy; null where the length says so. */
  slice(length: number): Buffer | null {
    if (length < 0) return null;
    const start = this.at;
    this.at += length;
    return this.bytes.subarray(start, this.at);
  }

  /** As slice(), for bytes that are the same at the same place in most records, which then are the same buffer. */
  repeated(length: number, place: number): Buffer | null {
    const known = this.#values[place];
    if (known?.length === length && this.#startsWith(known)) {
      this.at += length;
      return known;
    }
    const value = this.slice(length);
    if (value !== null && place < MAX_PLACES) this.#values[place] = value;
    return value;
  }

  text(length: number): string {
    const start = this.at;
    this.at += Math.max(0, length);
    return this.bytes.toString('utf8', start, this.at);
  }

  /** Text that is the same at the same place in most records. */
  name(length: number, place: number): string {
    const known = names[place];
    if (known?.bytes.length === length && this.#startsWith(known.bytes)) {
      this.at += length;
      return known.text;
    }
    const bytes = Buffer.from(this.slice(length) ?? []);
    const text = bytes.toString();
    if (place < MAX_PLACES) names[place] = { bytes, text };
    return text;
  }

  #startsWith(expected: Buffer): boolean {
    for (let i = 0; i < expected.length; i++) if (this.bytes[this.at + i] !== expected[i]) return false;
    return true;
  }
}
