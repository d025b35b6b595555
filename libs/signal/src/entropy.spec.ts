import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { sumOfLogarithms } from './entropy.js';

describe('sum of p ln p', () => {
  it('is that of Math.log, whatever the sizes of the numbers', () => {
    const number = fc.oneof(fc.double({ min: 0, max: 1e300, noNaN: true }), fc.double({ min: 0, max: 2, noNaN: true }), fc.constantFrom(0, Number.MIN_VALUE, 2 ** -1022, 0.5, 1, 2, 1 - 2 ** -53, 1 + 2 ** -52));
    fc.assert(
      fc.property(fc.array(number, { maxLength: 50 }), (numbers) => {
        const terms = numbers.map((p) => (p === 0 ? 0 : p * Math.log(p)));
        numbers.forEach((p, i) => expect(Math.abs(sumOfLogarithms(Float64Array.of(p)) - terms[i]!)).toBeLessThanOrEqual(1e-15 * (p + Math.abs(terms[i]!))));
        const size = numbers.reduce((sum, p) => sum + p + (p === 0 ? 0 : Math.abs(p * Math.log(p))), 0);
        expect(Math.abs(sumOfLogarithms(Float64Array.from(numbers)) - terms.reduce((a, b) => a + b, 0))).toBeLessThanOrEqual(2e-14 * size);
      }),
    );
  });
});
