import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { record } from '../testing/fixtures.js';
import { MAX_BATCH_BYTES, refuseTooLarge, requests } from './batching.js';
import type { RecordBatch } from './record-batch.js';
import { Writer } from './writer.js';

const require = createRequire(import.meta.url);
const Decoder = require('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => object;
const decodeBatch = require('kafkajs/src/protocol/recordBatch/v0/decoder') as (from: object) => Promise<{ readonly records: readonly { readonly key: Buffer }[] }>;

/** Keys of the records in a batch, as kafkajs reads it. */
async function keysIn(batch: RecordBatch): Promise<string[]> {
  const out = new Writer(batch.size);
  batch.write(out, { id: 1n, epoch: 0, transactional: false }, 0);
  const { records } = await decodeBatch(new Decoder(out.bytes));
  return records.map(({ key }) => key.toString());
}

describe('splitting records into requests', () => {
  const records = fc.array(
    fc.record({ topic: fc.constantFrom('a', 'b'), partition: fc.nat(2), bytes: fc.oneof(fc.nat(300), fc.integer({ min: 200_000, max: 990_000 })) }),
    { maxLength: 40 },
  );

  it('keeps all records, their order in each partition, and each partition of a request below the limit of the broker', async () => {
    await fc.assert(
      fc.asyncProperty(records, async (specs) => {
        const given = specs.map(({ topic, partition, bytes }, i) => ({ ...record(topic, partition, `${i}`, ''), value: new Uint8Array(bytes) }));
        const sent = [...requests(given)];
        const keysOf = new Map<string, string[]>();
        for (const request of sent) {
          expect(new Set(request.map(({ topic, partition }) => `${topic}/${partition}`)).size).toBe(request.length);
          for (const { topic, partition, batch } of request) {
            expect(batch.size).toBeLessThanOrEqual(MAX_BATCH_BYTES);
            const name = `${topic}/${partition}`;
            keysOf.set(name, [...(keysOf.get(name) ?? []), ...(await keysIn(batch))]);
          }
        }
        const expected = Map.groupBy(given, ({ topic, partition }) => `${topic}/${partition}`);
        expect(keysOf).toEqual(new Map([...expected].map(([name, of]) => [name, of.map(({ key }) => key)])));
      }),
      { numRuns: 50 },
    );
  });

  it('refuses a record that fits in none', () => {
    const large = { ...record('telemetry.v1', 0, 'pump-1', ''), value: new Uint8Array(2_000_000) };
    expect(() => refuseTooLarge([record('telemetry.v1', 0, 'pump-1', ''), large])).toThrow(
      'A record of 2000000 bytes for telemetry.v1 (key pump-1) is too large for Kafka, which takes 1000000 bytes at most: send smaller blocks.',
    );
  });
});
