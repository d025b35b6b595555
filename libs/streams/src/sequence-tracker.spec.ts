import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SequenceTracker } from './sequence-tracker.js';

const missingOf = (seen: ReadonlySet<number>): number => (seen.size === 0 ? 0 : Math.max(...seen) - seen.size);

describe('SequenceTracker', () => {
  it('knows repeats and counts gaps as a set does, in any order, also when put away and taken up again', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 200 }), fc.nat(200), (sequences, restoreAt) => {
        let tracker = new SequenceTracker();
        const seen = new Set<number>();
        for (const [i, sequence] of sequences.entries()) {
          if (i === restoreAt) tracker = SequenceTracker.restore(tracker.snapshot());
          expect(tracker.observe(sequence)).toBe(!seen.has(sequence));
          seen.add(sequence);
          expect(tracker.missing).toBe(missingOf(seen));
        }
      }),
    );
  });

  it('does not call missing what retention had dropped, yet takes it when it comes', () => {
    const tracker = new SequenceTracker(9);
    expect([10, 12, 3, 3, 11].map((each) => tracker.observe(each))).toEqual([true, true, true, false, true]);
    expect(tracker.missing).toBe(0);
    tracker.observe(15);
    expect(tracker.missing).toBe(2);
  });

  it('stays small: beyond 64 ranges the oldest gap is missing for good', () => {
    const tracker = new SequenceTracker();
    for (let sequence = 2; sequence <= 2_000; sequence += 2) tracker.observe(sequence);
    expect(tracker.snapshot().length).toBeLessThanOrEqual(3 + 128);
    expect(tracker.missing).toBe(1_000);
    expect(tracker.observe(1)).toBe(false);
    expect(tracker.observe(1_999)).toBe(true);
    expect(tracker.missing).toBe(999);
  });
});
