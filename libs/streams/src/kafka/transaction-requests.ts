import { createRequire } from 'node:module';
import { roomy, type Exchange } from './exchange.js';
import { encodeFlexibleProduce, type Identity, type Produced, type ProduceRequest } from './produce-request.js';
import type { TopicOffsets } from './transaction-protocol.js';

/** What kafkajs has for the form of newer requests: lengths are varints, each one more than it is, and structures end with tagged fields. */
interface Encoder {
  writeInt16(value: number): Encoder;
  writeInt32(value: number): Encoder;
  writeInt64(value: number | string): Encoder;
  writeBoolean(value: boolean): Encoder;
  writeUVarInt(value: number): Encoder;
  writeUVarIntString(value: string | null): Encoder;
  writeUVarIntArray(items: readonly Encoder[]): Encoder;
}

interface Decoder {
  readInt16(): number;
  readInt32(): number;
  readInt64(): { toString(): string };
  readUVarInt(): number;
  readUVarIntString(): string | null;
  readUVarIntArray<T>(read: (decoder: Decoder) => T): T[] | null;
  readBytes(length: number): Buffer;
}

interface Codec {
  readonly Encoder: new () => Encoder;
  readonly Decoder: new (bytes: Buffer) => Decoder;
}

const require = createRequire(import.meta.url);
const { Encoder, Decoder } = { Encoder: require('kafkajs/src/protocol/encoder'), Decoder: require('kafkajs/src/protocol/decoder') } as Codec;
const { createErrorFromCode } = require('kafkajs/src/protocol/error') as { createErrorFromCode(code: number): Error };
const { KafkaJSProtocolError } = require('kafkajs/src/errors') as { readonly KafkaJSProtocolError: new (of: (typeof NEWER)[number]) => Error };

const API_VERSIONS = { apiKey: 18, apiName: 'ApiVersions', apiVersion: 3 };
const PRODUCE = { apiKey: 0, apiName: 'Produce', apiVersion: 12 };
const TXN_OFFSET_COMMIT = { apiKey: 28, apiName: 'TxnOffsetCommit', apiVersion: 5 };
const END_TXN = { apiKey: 26, apiName: 'EndTxn', apiVersion: 5 };

const NO_GENERATION = -1;
const NO_LEADER_EPOCH = -1;
const NO_TAGS = 0;
const UNSUPPORTED_VERSION = 35;
/** Tag of the features that the cluster has agreed on. */
const FINALIZED_FEATURES = 2;

/** Errors that kafkajs has no name for. */
const NEWER = [
  { code: 90, type: 'PRODUCER_FENCED', message: 'There is a newer producer with the same transactional id', retriable: false },
  { code: 120, type: 'TRANSACTION_ABORTABLE', message: 'The transaction can only be aborted', retriable: false },
];

/** Records, whose partitions the broker takes into the transaction itself. */
export function produceV12(fields: ProduceRequest): Exchange<Produced> {
  return {
    request: { ...PRODUCE, encode: () => Promise.resolve(roomy((headRoom) => encodeFlexibleProduce(fields, headRoom))) },
    response: flexible((input) => ({
      topics: readArray(input, () => ({
        topicName: input.readUVarIntString()!,
        partitions: readArray(input, () => {
          const partition = input.readInt32();
          refuse(input.readInt16());
          const baseOffset = input.readInt64().toString();
          input.readInt64(); // time of append
          input.readInt64(); // first offset
          readArray(input, () => [input.readInt32(), input.readUVarIntString()]); // errors of records
          input.readUVarIntString(); // message
          return { partition, baseOffset };
        }),
      })),
    })),
  };
}

/** Offsets of a group, which the broker takes into the transaction itself. */
export function txnOffsetCommit(transactionalId: string, groupId: string, { producerId, producerEpoch }: Identity, topics: readonly TopicOffsets[]): Exchange<object> {
  const encode = (): Encoder =>
    begin()
      .writeUVarIntString(transactionalId)
      .writeUVarIntString(groupId)
      .writeInt64(producerId)
      .writeInt16(producerEpoch)
      .writeInt32(NO_GENERATION)
      .writeUVarIntString('') // member
      .writeUVarIntString(null) // its own name
      .writeUVarIntArray(
        topics.map(({ topic, partitions }) =>
          new Encoder()
            .writeUVarIntString(topic)
            .writeUVarIntArray(
              partitions.map(({ partition, offset, metadata }) =>
                new Encoder().writeInt32(partition).writeInt64(offset).writeInt32(NO_LEADER_EPOCH).writeUVarIntString(metadata).writeUVarInt(NO_TAGS),
              ),
            )
            .writeUVarInt(NO_TAGS),
        ),
      )
      .writeUVarInt(NO_TAGS);
  return {
    request: { ...TXN_OFFSET_COMMIT, encode: () => Promise.resolve(encode()) },
    response: flexible((input) => {
      input.readInt32(); // throttle time
      readArray(input, () => [input.readUVarIntString(), readArray(input, () => [input.readInt32(), refuse(input.readInt16())])]);
      return {};
    }),
  };
}

/** The end of a transaction, answered with who writes the next one. */
export function endTxn(transactionalId: string, { producerId, producerEpoch }: Identity, commit: boolean): Exchange<Identity> {
  const encode = (): Encoder =>
    begin().writeUVarIntString(transactionalId).writeInt64(producerId).writeInt16(producerEpoch).writeBoolean(commit).writeUVarInt(NO_TAGS);
  return {
    request: { ...END_TXN, encode: () => Promise.resolve(encode()) },
    response: flexible((input) => {
      input.readInt32(); // throttle time
      refuse(input.readInt16());
      return { producerId: input.readInt64().toString(), producerEpoch: input.readInt16() };
    }),
  };
}

/** Levels of the features that the cluster has agreed on, by name; none with a broker from before there were any (2.4). */
export function finalizedFeatures(): Exchange<ReadonlyMap<string, number>> {
  const encode = (): Encoder => begin().writeUVarIntString('millwright').writeUVarIntString('0').writeUVarInt(NO_TAGS);
  return {
    request: { ...API_VERSIONS, encode: () => Promise.resolve(encode()) },
    response: responseOf((input) => {
      const found = new Map<string, number>();
      const code = input.readInt16();
      if (code === UNSUPPORTED_VERSION) return found;
      refuse(code);
      readArray(input, () => [input.readInt16(), input.readInt16(), input.readInt16()]); // versions
      input.readInt32(); // throttle time
      const features = readTags(input).get(FINALIZED_FEATURES);
      if (features === undefined) return found;
      readArray(features, () => {
        const name = features.readUVarIntString()!;
        found.set(name, features.readInt16());
        features.readInt16(); // the least level
      });
      return found;
    }),
  };
}

/** A request's body begins with the tagged fields of its header. */
const begin = (): Encoder => new Encoder().writeUVarInt(NO_TAGS);

/** And so does an answer's, but for that to ApiVersions. */
const flexible = <Answer>(read: (input: Decoder) => Answer): Exchange<Answer>['response'] =>
  responseOf((input) => {
    readTags(input);
    return read(input);
  });

function responseOf<Answer>(read: (input: Decoder) => Answer): Exchange<Answer>['response'] {
  return { decode: (bytes) => Promise.resolve(read(new Decoder(bytes))), parse: (answer) => Promise.resolve(answer) };
}

/** Reads structures, each with its tagged fields. */
function readArray<T>(input: Decoder, read: () => T): T[] {
  const items = input.readUVarIntArray(() => {
    const item = read();
    readTags(input);
    return item;
  });
  return items ?? [];
}

function readTags(input: Decoder): Map<number, Decoder> {
  const fields = new Map<number, Decoder>();
  for (let left = input.readUVarInt(); left > 0; left--) {
    const tag = input.readUVarInt();
    fields.set(tag, new Decoder(input.readBytes(input.readUVarInt())));
  }
  return fields;
}

function refuse(code: number): void {
  if (code === 0) return;
  const newer = NEWER.find((each) => each.code === code);
  throw newer === undefined ? createErrorFromCode(code) : new KafkaJSProtocolError(newer);
}
