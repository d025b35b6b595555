import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { GatherTarget } from './gather-target.js';

/** Jobs of callers of whom so many come before the wait is over; the share that waits in vain. */
function inVain(target: GatherTarget, comers: number, jobs: number): number {
  let vain = 0;
  for (let job = 0; job < jobs; job++) {
    if (target.rows > comers) vain++;
    target.started(Math.min(target.rows, comers));
  }
  return vain / jobs;
}

describe('GatherTarget', () => {
  it('hardly ever has a lone caller wait', () => {
    const target = new GatherTarget(32);
    inVain(target, 1, 2_000);
    expect(inVain(target, 1, 10_000)).toBeLessThan(0.002);
  });

  it('comes to what a crowd brings, and no further than a batch', () => {
    const crowd = new GatherTarget(32);
    inVain(crowd, 64, 200);
    expect(crowd.rows).toBe(32);
  });

  it('comes down at once where a crowd has gone, and up again where it has come back', () => {
    const target = new GatherTarget(32);
    inVain(target, 64, 200);
    expect(inVain(target, 3, 1)).toBe(1);
    expect(target.rows).toBe(3);
    inVain(target, 64, 200);
    expect(target.rows).toBe(32);
  });

  it('stays between one row and a batch, and near what comes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.array(fc.integer({ min: 1, max: 80 }), { maxLength: 300 }), (most, comers) => {
        const target = new GatherTarget(most);
        for (const each of comers) {
          target.started(Math.min(each, target.rows));
          expect(target.rows).toBeGreaterThanOrEqual(1);
          expect(target.rows).toBeLessThanOrEqual(most);
          expect(target.rows).toBeLessThanOrEqual(Math.max(each + 1, Math.ceil(1.25 * each)));
        }
      }),
    );
  });
});
