import { describe, expect, it } from '@jest/globals';
import { c4, d2, d3 } from './constants.js';

describe('control chart constants', () => {
  it('have their closed forms where there are any', () => {
    expect(d2(2)).toBeCloseTo(2 / Math.sqrt(Math.PI), 10);
    expect(d2(3)).toBeCloseTo(3 / Math.sqrt(Math.PI), 10);
    expect(d3(2)).toBeCloseTo(Math.sqrt(2 - 4 / Math.PI), 10);
    expect(c4(2)).toBeCloseTo(Math.sqrt(2 / Math.PI), 14);
    expect(c4(3)).toBeCloseTo(Math.sqrt(Math.PI) / 2, 14);
  });

  // ASTM manual on presentation of data (MNL 7), table of factors.
  it.each([
    [2, 1.128, 0.853, 0.7979],
    [3, 1.693, 0.888, 0.8862],
    [4, 2.059, 0.88, 0.9213],
    [5, 2.326, 0.864, 0.94],
    [6, 2.534, 0.848, 0.9515],
    [10, 3.078, 0.797, 0.9727],
    [15, 3.472, 0.756, 0.9823],
    [20, 3.735, 0.729, 0.9869],
    [25, 3.931, 0.708, 0.9896],
  ])('agree with the published table for n = %d', (n, range, rangeSpread, deviation) => {
    expect(d2(n)).toBeCloseTo(range, 3);
    expect(d3(n)).toBeCloseTo(rangeSpread, 3);
    expect(c4(n)).toBeCloseTo(deviation, 4);
  });

  it('refuse sizes that have no constant and say what to do', () => {
    expect(() => d2(1)).toThrow('a subgroup of 1 is not among 2 to 25');
    expect(() => d3(26)).toThrow('use an X-bar/S chart');
    expect(() => c4(1)).toThrow('use 2 or more values');
  });
});
