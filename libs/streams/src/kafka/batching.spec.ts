import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { record } from '../testing/fixtures.js';
import { MAX_BATCH_BYTES, refuseTooLarge, requests } from './batching.js';

describe('splitting records into requests', () => {
  const records = fc.array(
    fc.record({ topic: fc.constantFrom('a', 'b'), partition: fc.nat(2), bytes: fc.oneof(fc.nat(300), fc.integer({ min: 200_000, max: 990_000 })) }),
    { maxLength: 40 },
  );

  it('keeps all records, their order in each partition, and each partition of a request below the limit of the broker', () => {
    fc.assert(
      fc.property(records, (specs) => {
        const given = specs.map(({ topic, partition, bytes }, i) => ({ ...record(topic, partition, `${i}`, ''), value: new Uint8Array(bytes) }));
        const sent = [...requests(given)];
        for (const request of sent) {
          const bytes = new Map<string, number>();
          for (const { topic, messages } of request) {
            for (const { partition, value } of messages) {
              const batch = `${topic}/${partition}`;
              bytes.set(batch, (bytes.get(batch) ?? 0) + (value?.length ?? 0));
            }
          }
          for (const size of bytes.values()) expect(size).toBeLessThanOrEqual(MAX_BATCH_BYTES);
        }
        const keysOf = (topic: string, partition: number): (string | undefined)[] =>
          sent
            .flat()
            .filter((each) => each.topic === topic)
            .flatMap(({ messages }) => messages.filter((message) => message.partition === partition).map(({ key }) => key?.toString()));
        for (const topic of ['a', 'b']) {
          for (const partition of [0, 1, 2]) {
            expect(keysOf(topic, partition)).toEqual(given.filter((each) => each.topic === topic && each.partition === partition).map(({ key }) => key));
          }
        }
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
