import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { prependWhereThereIsRoom } from './exchange.js';
import { produceV7 } from './produce-exchange.js';
import { encodeFlexibleProduce, encodeProduce, type ProduceRequest } from './produce-request.js';
import { RecordBatch } from './record-batch.js';
import { Writer } from './writer.js';

interface Request {
  encode(): Promise<{ readonly buffer: Buffer }>;
}

const require = createRequire(import.meta.url);
/** kafkajs's own encoding, of the highest version that it speaks. */
const reference = require('kafkajs/src/protocol/requests/produce/v7/request') as (request: object) => Request;
/** What kafkajs puts on the wire. */
const framed = require('kafkajs/src/protocol/request') as (of: { correlationId: number; clientId: string; request: object }) => Promise<{ readonly buffer: Buffer }>;

/** kafkajs's encoder, which has what flexible versions are made of. */
interface Encoder {
  readonly buffer: Buffer;
  writeInt16(value: number): Encoder;
  writeInt32(value: number): Encoder;
  writeUVarInt(value: number): Encoder;
  writeUVarIntString(value: string | null): Encoder;
  writeUVarIntBytes(value: Buffer): Encoder;
  writeUVarIntArray(items: readonly Encoder[]): Encoder;
}
const Encoder = require('kafkajs/src/protocol/encoder') as new () => Encoder;

const NOW_MS = 1_750_000_000_000;
const ALL_IN_SYNC = -1;
const TIMEOUT_MS = 30_000;

const values = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 5 });
const request = fc.record({
  transactionalId: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
  identity: fc.record({ producerId: fc.nat().map(String), producerEpoch: fc.nat(32_767) }),
  topicData: fc.array(
    fc.record({
      topic: fc.string({ minLength: 1, maxLength: 20 }),
      partitions: fc.array(fc.record({ partition: fc.nat(1000), firstSequence: fc.nat(), values }), { maxLength: 3 }),
    }),
    { maxLength: 3 },
  ),
});

type Given = typeof request extends fc.Arbitrary<infer T> ? T : never;

const own = ({ topicData, ...rest }: Given): ProduceRequest => ({
  ...rest,
  topicData: topicData.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ values, ...at }) => {
      const batch = new RecordBatch(NOW_MS);
      for (const value of values) batch.add({ topic, partition: at.partition, key: 'k', value, timeMs: 1, headers: { schema: 's', source: 'x', sequence: 2 } });
      return { ...at, batch };
    }),
  })),
});

const kafkajs = ({ transactionalId = undefined, identity, topicData }: Given): Request =>
  reference({
    acks: ALL_IN_SYNC,
    timeout: TIMEOUT_MS,
    compression: 0,
    transactionalId: transactionalId ?? null,
    ...identity,
    topicData: topicData.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ values, ...at }) => ({
        ...at,
        messages: values.map((value) => ({ key: 'k', value: Buffer.from(value), timestamp: `${NOW_MS}`, headers: { schema: 's', source: 'x', sequence: '2', time: '1' } })),
      })),
    })),
  });

describe('encodeProduce', () => {
  it('gives the bytes that kafkajs gives', async () => {
    await fc.assert(
      fc.asyncProperty(request, async (each) => {
        const { buffer } = await kafkajs(each).encode();
        expect(encodeProduce(own(each)).equals(buffer)).toBe(true);
      }),
    );
  });
});

describe('encodeFlexibleProduce', () => {
  it('gives what kafkajs makes of the same fields', () => {
    fc.assert(
      fc.property(request, (each) => {
        const { transactionalId, identity, topicData } = own(each);
        const bytesOf = (batch: RecordBatch, firstSequence: number): Buffer => {
          const out = new Writer(batch.size);
          batch.write(out, { id: BigInt(identity.producerId), epoch: identity.producerEpoch, transactional: transactionalId !== undefined }, firstSequence);
          return out.bytes;
        };
        const topics = topicData.map(({ topic, partitions }) =>
          new Encoder()
            .writeUVarIntString(topic)
            .writeUVarIntArray(
              partitions.map(({ partition, firstSequence, batch }) => new Encoder().writeInt32(partition).writeUVarIntBytes(bytesOf(batch, firstSequence)).writeUVarInt(0)),
            )
            .writeUVarInt(0),
        );
        const head = new Encoder().writeUVarInt(0).writeUVarIntString(transactionalId ?? null).writeInt16(ALL_IN_SYNC).writeInt32(TIMEOUT_MS);
        expect(encodeFlexibleProduce({ transactionalId, identity, topicData }).equals(head.writeUVarIntArray(topics).writeUVarInt(0).buffer)).toBe(true);
      }),
    );
  });
});

describe('a body with room in front', () => {
  it('is on the wire what kafkajs puts there, also behind a client id that the room is too small for', async () => {
    prependWhereThereIsRoom();
    await fc.assert(
      fc.asyncProperty(request, fc.constantFrom('bench', 'x'.repeat(300)), fc.nat(), async (each, clientId, correlationId) => {
        const sent = await framed({ correlationId, clientId, request: produceV7(own(each)).request });
        const { buffer } = await framed({ correlationId, clientId, request: kafkajs(each) });
        expect(sent.buffer.equals(buffer)).toBe(true);
      }),
    );
  });
});
