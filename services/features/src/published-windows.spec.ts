import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { PublishedWindows } from './published-windows.js';

describe('published windows', () => {
  it('are as a sorted map, whatever is put, amended and dropped', () => {
    const steps = fc.array(fc.oneof(fc.record({ put: fc.integer({ min: -20, max: 60 }), empty: fc.boolean(), mean: fc.double() }), fc.record({ drop: fc.nat({ max: 5 }) })), { maxLength: 100 });
    fc.assert(
      fc.property(steps, fc.integer({ min: -30, max: 70 }), (all, k) => {
        const windows = new PublishedWindows(2);
        let expected = new Map<number, { revision: number; empty: boolean; means: number[] }>();
        all.forEach((step, i) => {
          if ('drop' in step) {
            const count = Math.min(step.drop, windows.length);
            windows.dropFirst(count);
            expected = new Map([...expected].sort(([a], [b]) => a - b).slice(count));
          } else {
            windows.put(step.put, i, step.empty, Float64Array.of(step.mean, i));
            expected.set(step.put, { revision: i, empty: step.empty, means: [step.mean, i] });
          }
        });
        const sorted = [...expected].sort(([a], [b]) => a - b);
        const copy = new Float64Array(2);
        expect(windows.length).toBe(sorted.length);
        sorted.forEach(([index, { revision, empty, means }], at) => {
          windows.copyMeans(at, copy);
          expect([windows.index(at), windows.revision(at), windows.isEmpty(at), [...windows.means(at)], [...copy]]).toEqual([index, revision, empty, means, means]);
        });
        expect(windows.countUpTo(k)).toBe(sorted.filter(([index]) => index <= k).length);
        expect(windows.find(k)).toBe(sorted.findIndex(([index]) => index === k));
      }),
    );
  });
});
