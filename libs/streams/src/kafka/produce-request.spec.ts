import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Message } from 'kafkajs';
import { encodeProduce, type ProduceRequest } from './produce-request.js';

/** kafkajs's own encoding, of the highest version that it speaks. */
const reference = createRequire(import.meta.url)('kafkajs/src/protocol/requests/produce/v7/request') as (request: ProduceRequest) => {
  encode(): Promise<{ readonly buffer: Buffer }>;
};

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
