import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { IHeaders, Message } from 'kafkajs';
import type { NewRecord } from '../record.js';
import { RecordBatch } from './record-batch.js';
import { Writer } from './writer.js';

const require = createRequire(import.meta.url);
/** kafkajs's own encoding. */
const RecordBatchV0 = require('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch(of: object): Promise<{ readonly buffer: Buffer }>;
};
const RecordV0 = require('kafkajs/src/protocol/recordBatch/record/v0') as (of: Message & { offsetDelta: number; timestampDelta: number }) => { readonly buffer: Buffer };

const text = fc.oneof(fc.string({ maxLength: 100 }), fc.string({ unit: 'grapheme', maxLength: 20 }));
const someRecord: fc.Arbitrary<NewRecord> = fc.record({
  topic: fc.constant('t'),
  partition: fc.constant(0),
  key: text,
  value: fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.nat(20_000).map((length) => new Uint8Array(length).fill(length))),
  timeMs: fc.oneof(fc.integer({ min: 0, max: 2 ** 45 }), fc.constant(1.5), fc.constant(-3)),
  headers: fc
    .record({ schema: fc.constantFrom('a.v1', 'b.v1'), source: fc.oneof(fc.constant('s'), text), sequence: fc.nat(2 ** 31), traceparent: fc.option(fc.constantFrom('00-1', '00-2'), { nil: undefined }) })
    .map(({ traceparent, ...rest }) => (traceparent === undefined ? rest : { ...rest, traceparent })),
});

function message({ key, value, timeMs, headers: { schema, source, sequence, traceparent } }: NewRecord): Message {
  const headers: IHeaders = { schema, source, ...(traceparent !== undefined && { traceparent }), sequence: `${sequence}`, time: `${timeMs}` };
  return { key, value: Buffer.from(value), headers };
}

describe('RecordBatch', () => {
  it('has the bytes that kafkajs gives to the same records', async () => {
    const owner = fc.record({ id: fc.bigInt({ min: -1n, max: 2n ** 62n }), epoch: fc.integer({ min: -1, max: 32_767 }), transactional: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(someRecord, { minLength: 1, maxLength: 200, size: 'medium' }), owner, fc.nat(), fc.nat(2 ** 44), async (records, own, firstSequence, timeMs) => {
        const batch = new RecordBatch(timeMs);
        for (const record of records) batch.add(record);
        const out = new Writer(batch.size + 7);
        out.position = 7;
        batch.write(out, own, firstSequence);
        const encoded = records.map((record, offsetDelta) => RecordV0({ ...message(record), offsetDelta, timestampDelta: 0 }));
        const reference = await RecordBatchV0.RecordBatch({
          firstTimestamp: timeMs, maxTimestamp: timeMs, partitionLeaderEpoch: 0, lastOffsetDelta: records.length - 1, compression: 0,
          producerId: String(own.id), producerEpoch: own.epoch, transactional: own.transactional, firstSequence, records: encoded,
        });
        expect(batch.count).toBe(records.length);
        expect(out.position).toBe(7 + batch.size);
        expect(out.bytes.subarray(7).equals(reference.buffer)).toBe(true);
      }),
    );
  });
});
