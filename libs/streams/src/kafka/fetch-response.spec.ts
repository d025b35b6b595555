import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeFetch, type FetchResponse } from './fetch-response.js';

const require = createRequire(import.meta.url);
/** kafkajs's own decoder and encoders. */
const reference = require('kafkajs/src/protocol/requests/fetch/v11/response') as { decode(raw: Buffer): Promise<FetchResponse> };
const Encoder = require('kafkajs/src/protocol/encoder') as new () => Encoder;
const encodeBatch = require('kafkajs/src/protocol/recordBatch/v0') as { RecordBatch(fields: object): Promise<Encoder> };
const encodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0') as (fields: object) => Encoder;

interface Encoder {
  readonly buffer: Buffer;
  writeInt8(value: number): Encoder;
  writeInt16(value: number): Encoder;
  writeInt32(value: number): Encoder;
  writeInt64(value: number): Encoder;
  writeString(value: string): Encoder;
  writeBytes(value: Buffer): Encoder;
}

const bytes = fc.uint8Array({ maxLength: 200 }).map((each) => Buffer.from(each));
const name = fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme' }).filter((each) => !(each in {}));
const record = fc.record({
  timestampDelta: fc.integer({ min: -5_000, max: 2 ** 40 }),
  offsetDelta: fc.nat(100_000),
  key: fc.oneof(fc.constant(null), bytes),
  value: fc.oneof(fc.constant(null), bytes),
  headers: fc.dictionary(name, fc.oneof(bytes, fc.array(bytes, { minLength: 2, maxLength: 3 })), { maxKeys: 5, noNullPrototype: true }),
});
const batch = fc.record({
  firstOffset: fc.nat(1e12),
  firstTimestamp: fc.integer({ min: -1, max: 2e12 }),
  maxTimestamp: fc.integer({ min: -1, max: 2e12 }),
  producerId: fc.integer({ min: -1, max: 1e9 }),
  producerEpoch: fc.integer({ min: -1, max: 32_767 }),
  firstSequence: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
  transactional: fc.boolean(),
  records: fc.array(record, { minLength: 1, maxLength: 5 }),
});
const partition = fc.record({
  partition: fc.nat(1000),
  errorCode: fc.nat(100),
  offsets: fc.tuple(fc.nat(1e12), fc.nat(1e12), fc.nat(1e12)),
  aborted: fc.array(fc.tuple(fc.nat(1e9), fc.nat(1e12)), { maxLength: 3 }),
  batches: fc.array(batch, { maxLength: 3 }),
  /** Bytes of a further batch that was cut off. */
  cut: fc.nat(60),
});
const topics = fc.array(fc.tuple(fc.string({ maxLength: 20 }), fc.array(partition, { maxLength: 3 })), { maxLength: 3 });

type Partition = typeof partition extends fc.Arbitrary<infer T> ? T : never;

async function encode(of: readonly [string, readonly Partition[]][]): Promise<Buffer> {
  const out = new Encoder().writeInt32(3).writeInt16(0).writeInt32(7).writeInt32(of.length);
  for (const [topic, partitions] of of) {
    out.writeString(topic).writeInt32(partitions.length);
    for (const { partition, errorCode, offsets, aborted, batches, cut } of partitions) {
      out.writeInt32(partition).writeInt16(errorCode);
      for (const offset of offsets) out.writeInt64(offset);
      out.writeInt32(aborted.length);
      for (const [producerId, firstOffset] of aborted) out.writeInt64(producerId).writeInt64(firstOffset);
      out.writeInt32(-1);
      const encoded = await Promise.all(
        batches.map((each) =>
          encodeBatch.RecordBatch({ ...each, compression: 0, partitionLeaderEpoch: 0, lastOffsetDelta: 9, records: each.records.map(encodeRecord) }).then(({ buffer }) => buffer),
        ),
      );
      const next = encoded[0]?.subarray(0, Math.min(cut, encoded[0].length - 1)) ?? Buffer.alloc(0);
      out.writeBytes(Buffer.concat([...encoded, next]));
    }
  }
  return out.buffer;
}

describe('decodeFetch', () => {
  it('reads what kafkajs reads', async () => {
    await fc.assert(
      fc.asyncProperty(topics, async (each) => {
        const raw = await encode(each);
        expect(decodeFetch(raw)).toEqual(await reference.decode(raw));
      }),
    );
  });

  it('leaves compressed batches and old message sets to kafkajs', async () => {
    const one: Partition = {
      partition: 0, errorCode: 0, offsets: [1, 1, 0], aborted: [], cut: 0,
      batches: [{ firstOffset: 0, firstTimestamp: 0, maxTimestamp: 0, producerId: -1, producerEpoch: -1, firstSequence: -1, transactional: false, records: [{ timestampDelta: 0, offsetDelta: 0, key: null, value: Buffer.from('a'), headers: {} }] }],
    };
    const raw = await encode([['t', [one]]]);
    // The format follows the epoch of the leader.
    const at = raw.indexOf(Buffer.from([0, 0, 0, 0, 2])) + 4;
    const old = Buffer.from(raw);
    old[at] = 1;
    expect(decodeFetch(old)).toBeUndefined();
    const compressed = Buffer.from(raw);
    // Attributes follow the format and the checksum.
    compressed[at + 6] = 1;
    expect(decodeFetch(compressed)).toBeUndefined();
    expect(decodeFetch(raw)?.responses[0]?.partitions[0]?.messages).toHaveLength(1);
  });
});
