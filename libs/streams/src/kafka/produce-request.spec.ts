import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Message } from 'kafkajs';
import { encodeFlexibleProduce, encodeInOnePass, encodeProduce, type ProduceRequest } from './produce-request.js';
import { RecordBatch } from './record-batch.js';
import { Writer } from './writer.js';

interface Request {
  encode(): Promise<{ readonly buffer: Buffer }>;
}

const require = createRequire(import.meta.url);
/** kafkajs's own encoding, of the highest version that it speaks. */
const reference = require('kafkajs/src/protocol/requests/produce/v7/request') as (request: ProduceRequest) => Request;
/** What kafkajs puts on the wire. */
const framed = require('kafkajs/src/protocol/request') as (of: { correlationId: number; clientId: string; request: Request }) => Promise<{ readonly buffer: Buffer }>;
const produce = require('kafkajs/src/protocol/requests/produce') as { protocol(of: { version: number }): (request: ProduceRequest) => { readonly request: Request } };


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

const bytes = fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each));
const message: fc.Arbitrary<Message> = fc.record({
  key: fc.oneof(fc.constant(null), fc.string({ unit: 'grapheme', maxLength: 20 }), bytes),
  value: fc.oneof(fc.constant(null), bytes),
  timestamp: fc.integer({ min: 1_000_000_000_000, max: 1_999_999_999_999 }).map(String),
  headers: fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), fc.oneof(fc.string({ unit: 'grapheme' }), bytes, fc.array(bytes, { maxLength: 3 })), {
    maxKeys: 4,
    noNullPrototype: true,
  }),
});
const request: fc.Arbitrary<ProduceRequest> = fc.record({
  acks: fc.constantFrom(-1, 1),
  timeout: fc.nat(),
  compression: fc.constant(0),
  transactionalId: fc.oneof(fc.constant(null), fc.string()),
  producerId: fc.nat().map(String),
  producerEpoch: fc.nat(32_767),
  topicData: fc.array(
    fc.record({
      topic: fc.string({ minLength: 1, maxLength: 20 }),
      partitions: fc.array(fc.record({ partition: fc.nat(1000), firstSequence: fc.nat(), messages: fc.array(message, { minLength: 1, maxLength: 10 }) }), { maxLength: 3 }),
    }),
    { maxLength: 3 },
  ),
});

describe('encodeProduce', () => {
  it('gives the bytes that kafkajs gives', async () => {
    await fc.assert(
      fc.asyncProperty(request, async (each) => {
        const { buffer } = await reference(each).encode();
        expect(encodeProduce(each).equals(buffer)).toBe(true);
      }),
    );
  });
});

describe('encodeFlexibleProduce', () => {
  function batch({ transactionalId, producerId, producerEpoch }: ProduceRequest, data: ConstructorParameters<typeof RecordBatch>[0]): Buffer {
    const records = new RecordBatch(data);
    const out = new Writer(records.size);
    records.write(out, { id: BigInt(String(producerId)), epoch: producerEpoch, transactional: Boolean(transactionalId) });
    return out.bytes;
  }

  it('gives what kafkajs makes of the same fields', () => {
    fc.assert(
      fc.property(request, (each) => {
        const topics = each.topicData.map(({ topic, partitions }) =>
          new Encoder()
            .writeUVarIntString(topic)
            .writeUVarIntArray(partitions.map((data) => new Encoder().writeInt32(data.partition).writeUVarIntBytes(batch(each, data)).writeUVarInt(0)))
            .writeUVarInt(0),
        );
        const head = new Encoder().writeUVarInt(0).writeUVarIntString(each.transactionalId ?? null).writeInt16(each.acks).writeInt32(each.timeout);
        expect(encodeFlexibleProduce(each).equals(head.writeUVarIntArray(topics).writeUVarInt(0).buffer)).toBe(true);
      }),
    );
  });
});

describe('encodeInOnePass', () => {
  it('leaves on the wire what kafkajs puts there, also behind a client id that the room in front is too small for', async () => {
    encodeInOnePass();
    await fc.assert(
      fc.asyncProperty(request, fc.constantFrom('bench', 'x'.repeat(300)), fc.nat(), async (each, clientId, correlationId) => {
        const own = await framed({ correlationId, clientId, request: produce.protocol({ version: 7 })(each).request });
        const { buffer } = await framed({ correlationId, clientId, request: reference(each) });
        expect(own.buffer.equals(buffer)).toBe(true);
      }),
    );
  });
});
