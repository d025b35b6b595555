import { describe, expect, it } from '@jest/globals';
import { matrixOf } from './matrix.js';
import { Random } from './random.js';
import { fitRidge, predictLinear } from './ridge.js';
import { fitRidgePath, predictOutputs } from './ridge-path.js';

const random = new Random(3);

/** Columns of unit variance and mean 3, but for the last, which is constant, so that those who scale and those who don't agree. */
function standardised(rows: number, columns: number): number[][] {
  const raw = Array.from({ length: rows }, () => Array.from({ length: columns }, () => random.normal()));
  const mean = raw[0]!.map((_, j) => raw.reduce((sum, row) => sum + row[j]! / rows, 0));
  const spread = mean.map((m, j) => Math.sqrt(raw.reduce((sum, row) => sum + (row[j]! - m) ** 2 / rows, 0)));
  return raw.map((row) => [...row.map((value, j) => (value - mean[j]!) / spread[j]! + 3), 7]);
}

describe('ridge regressions of several outputs', () => {
  it.each([[60, 8], [20, 35]])('of %d rows and %d columns say what one regression after the other says', (rows, columns) => {
    const inputs = matrixOf(standardised(rows, columns));
    const targets = Float64Array.from({ length: rows * 2 }, () => random.normal());
    const all = [...fitRidgePath(inputs, targets, [0.5, 20])];
    expect(all).toHaveLength(2);
    [0.5, 20].forEach((penalty, i) => {
      const said = predictOutputs(all[i]!, inputs);
      for (const output of [0, 1]) {
        const expected = predictLinear(fitRidge(inputs, Float64Array.from({ length: rows }, (_, row) => targets[row * 2 + output]!), { penalty }), inputs);
        expected.forEach((value, row) => expect(said[row * 2 + output]).toBeCloseTo(value, 6));
      }
    });
  });
});
