import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { fitAutoregression, meanOfPast, residualsOf } from './autoregression.js';
import { fitClassClouds, logDensities } from './class-clouds.js';
import { matrixOf, rowsBetween } from './matrix.js';
import { Random } from './random.js';
import { fitResidualDiagnosis, predictResidualDiagnosis } from './residual-diagnosis.js';

type Rows = readonly (readonly number[])[];
const reference = JSON.parse(readFileSync(new URL('../reference/residuals.json', import.meta.url), 'utf8')) as {
  readonly autoregression: { readonly lags: number; readonly penalty: number; readonly stretches: readonly Rows[]; readonly residuals: Rows };
  readonly clouds: { readonly shrinkage: number; readonly lent: number; readonly common: number; readonly freedom: number; readonly classes: readonly Rows[]; readonly asked: Rows; readonly logDensities: Rows };
};

describe('autoregression', () => {
  const { lags, penalty, stretches, residuals } = reference.autoregression;
  const model = fitAutoregression(stretches.map(matrixOf), { lags, penalty });

  it("leaves what scikit-learn's ridge regression of a row on those before it leaves", () => {
    const left = rowsBetween(residualsOf(model, matrixOf(stretches[1]!)), lags, Infinity);
    expect(left.rows).toBe(residuals.length);
    residuals.flat().forEach((expected, i) => expect(left.values[i]).toBeCloseTo(expected, 9));
  });

  it('takes a run to have stood still before its first row', () => {
    const run = stretches[1]!;
    const longer = residualsOf(model, matrixOf([run[0]!, run[0]!, ...run])).values.subarray(lags * 3);
    residualsOf(model, matrixOf(run)).values.forEach((value, i) => expect(longer[i]).toBeCloseTo(value, 12));
  });
});

describe('mean of the past', () => {
  it('leaves the difference to the mean of the rows before', () => {
    const left = residualsOf(meanOfPast(2, 2), matrixOf([[1, 0], [3, 0], [6, -1]]));
    expect([...left.values]).toEqual([0, 0, 2, 0, 4, -1]);
  });
});

describe('class clouds', () => {
  it("have the densities of SciPy's multivariate t, but for a constant", () => {
    const { classes, asked, logDensities: expected, ...options } = reference.clouds;
    const said = logDensities(fitClassClouds(classes.map(matrixOf), options), matrixOf(asked));
    const constant = expected[0]![0]! - said[0]!;
    expected.flat().forEach((each, i) => expect(said[i]! + constant).toBeCloseTo(each, 9));
  });
});

const noisyRows = (rows: number, columns: number, seed: number): number[][] => {
  const random = new Random(seed);
  return Array.from({ length: rows }, () => Array.from({ length: columns }, () => random.normal()));
};

describe('residual diagnosis', () => {
  /** A process that remembers; a fault makes its second value follow the first (1) or shakes the third (2). */
  const course = (rows: number, fault: number, seed: number): number[][] => {
    const random = new Random(seed);
    let a = 0;
    return Array.from({ length: rows }, () => {
      a = 0.8 * a + random.normal();
      const b = random.normal();
      return [a, fault === 1 ? 0.9 * a + 0.3 * b : b, random.normal() * (fault === 2 ? 2 : 1)];
    });
  };
  const model = fitResidualDiagnosis([0, 1, 2].map((fault) => [matrixOf(course(300, fault, fault + 1))]), { lags: 1, memory: 4, penalty: 1, shrinkage: 0.01, lent: 0.02, freedom: 20, normal: 0, evidence: 1 });

  it.each([0, 1, 2])('knows class %d on another run of it, from a few rows together', (fault) => {
    const said = predictResidualDiagnosis(model, matrixOf(course(200, fault, 11 + fault)));
    const together = [0, 0, 0];
    for (let i = 0; i < said.length; i += 3) {
      expect(said[i]! + said[i + 1]! + said[i + 2]!).toBeCloseTo(1, 12);
      for (let k = 0; k < 3; k++) together[k]! += Math.log(said[i + k]!);
    }
    expect(together.indexOf(Math.max(...together))).toBe(fault);
  });

  it('looks at no later row', () => {
    const run = matrixOf(course(50, 1, 21));
    const all = predictResidualDiagnosis(model, run);
    expect(all.subarray(0, 30 * 3)).toEqual(predictResidualDiagnosis(model, rowsBetween(run, 0, 30)));
  });

  it('spreads unseen normal rows as it expects, though it was fitted on few for so many weights', () => {
    const noise = (rows: number, seed: number) => matrixOf(noisyRows(rows, 12, seed));
    const { views, mean, std } = fitResidualDiagnosis([[noise(200, 1)], [noise(200, 2)]], { lags: 3, memory: 2, penalty: 1, shrinkage: 0.02, lent: 0, freedom: 20, normal: 0, evidence: 1 });
    const { forecast, clouds } = views[0]!;
    const unseen = noise(400, 3);
    const left = residualsOf(forecast, { ...unseen, values: unseen.values.map((value, i) => (value - mean[i % 12]!) / std[i % 12]!) });
    // From the density back to the squared distance, which is 12 in the mean; with residuals of the rows that were fitted on it would be 20.
    const distances = logDensities(clouds, left).filter((_, i) => i % 2 === 0).map((density) => 20 * Math.expm1((2 * (-density - clouds.clouds[0]!.spread)) / (20 + 12)));
    const average = distances.reduce((sum, each) => sum + each, 0) / distances.length;
    expect(average).toBeGreaterThan(11);
    expect(average).toBeLessThan(15);
  });
});
