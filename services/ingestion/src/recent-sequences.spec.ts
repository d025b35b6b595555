import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { RecentSequences } from './recent-sequences.js';

describe('RecentSequences', () => {
  it('knows exactly what was seen, in any order, while gaps are few', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 24 }), { maxLength: 40 }), async (arrivals) => {
        const recent = new RecentSequences();
        const seen = new Set<number>();
        for (const sequence of arrivals) {
          expect(recent.known('s', 'a', sequence) !== undefined).toBe(seen.has(sequence));
          recent.add('s', 'a', sequence, Promise.resolve());
          seen.add(sequence);
          await Promise.resolve();
        }
      }),
    );
  });

  it('never claims to know what it did not see, however many gaps there are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.integer({ min: 1, max: 10_000 }), { minLength: 30, maxLength: 100 }), async (arrivals) => {
        const recent = new RecentSequences();
        for (const sequence of arrivals) {
          expect(recent.known('s', 'a', sequence)).toBeUndefined();
          recent.add('s', 'a', sequence, Promise.resolve());
          await Promise.resolve();
        }
      }),
    );
  });

  it('tells senders and assets apart, and forgets the sender least recently heard', async () => {
    const recent = new RecentSequences(2);
    recent.add('s', 'a', 1, Promise.resolve());
    recent.add('s', 'b', 1, Promise.resolve());
    await Promise.resolve();
    recent.add('s', 'a', 2, Promise.resolve());
    recent.add('t', 'a', 1, Promise.resolve());
    await Promise.resolve();
    expect(recent.known('s', 'a', 1)).toBeDefined();
    expect(recent.known('s', 'b', 1)).toBeUndefined();
  });

  it('forgets what could not be written', async () => {
    const recent = new RecentSequences();
    const written = Promise.reject(new Error('disk full'));
    recent.add('s', 'a', 1, written);
    await expect(recent.known('s', 'a', 1)).rejects.toThrow('disk full');
    expect(recent.known('s', 'a', 1)).toBeUndefined();
  });
});
