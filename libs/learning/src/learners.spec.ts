import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  areaUnderCurve,
  conformalHalfWidth,
  f1Score,
  fitDistanceMonitor,
  fitRidge,
  matrixOf,
  monitorDistances,
  predictBoosted,
  predictForest,
  predictLinear,
  Random,
  rSquared,
  trainBoosting,
  trainForest,
} from './index.js';

const BOOSTING = { rounds: 60, learningRate: 0.1, leaves: 8, leafRows: 5, l2: 1, rowShare: 0.8, columnShare: 1, bins: 64, seed: 1 };

function noisyRows(rows: number, columns: number, seed: number): number[][] {
  const random = new Random(seed);
  return Array.from({ length: rows }, () => Array.from({ length: columns }, () => random.normal()));
}

const argMax = (scores: Float64Array, row: number, classes: number): number => {
  const of = scores.subarray(row * classes, (row + 1) * classes);
  return of.indexOf(Math.max(...of));
};

describe('boosted trees', () => {
  const truth = ([a = 0, b = 0]: readonly number[]): number => (a > 0 ? 3 : -1) + b * b;

  it('learn a function with a step and a curve that is none of their training rows', () => {
    const rows = noisyRows(1500, 3, 1);
    const asked = noisyRows(500, 3, 2);
    const model = trainBoosting(matrixOf(rows), rows.map(truth), { ...BOOSTING, objective: { kind: 'squared' } });
    expect(rSquared(predictBoosted(model, matrixOf(asked)), asked.map(truth))).toBeGreaterThan(0.9);
  });

  it('give the same trees for the same seed, and others for another', () => {
    const rows = noisyRows(200, 3, 3);
    const fit = (seed: number) => trainBoosting(matrixOf(rows), rows.map(truth), { ...BOOSTING, seed, objective: { kind: 'squared' } });
    expect(fit(1)).toEqual(fit(1));
    expect(fit(1)).not.toEqual(fit(2));
  });

  it('tell classes apart that no line does, from odds of two and from logits of three', () => {
    const rows = noisyRows(1200, 2, 4);
    const inside = rows.map(([a = 0, b = 0]) => a * a + b * b < 1.2);
    const odds = predictBoosted(trainBoosting(matrixOf(rows), inside.map(Number), { ...BOOSTING, objective: { kind: 'logistic' } }), matrixOf(rows));
    expect(areaUnderCurve(odds, inside)).toBeGreaterThan(0.98);
    const thirds = rows.map(([a = 0]) => (a < -0.5 ? 0 : a < 0.5 ? 1 : 2));
    const logits = predictBoosted(trainBoosting(matrixOf(rows), thirds, { ...BOOSTING, objective: { kind: 'softmax', classes: 3 } }), matrixOf(rows));
    expect(thirds.filter((third, row) => argMax(logits, row, 3) === third).length).toBeGreaterThan(0.97 * rows.length);
  });

  it('send missing values to one side, in training as when asked', () => {
    const rows = noisyRows(400, 1, 5).map(([a = 0], i) => [i % 2 === 0 ? NaN : Math.abs(a) + 1]);
    const targets = rows.map(([a = 0]) => (Number.isNaN(a) ? 5 : 0));
    const said = predictBoosted(trainBoosting(matrixOf(rows), targets, { ...BOOSTING, objective: { kind: 'squared' } }), matrixOf([[NaN], [1]]));
    expect(said[0]).toBeGreaterThan(4.9);
    expect(said[1]).toBeLessThan(0.1);
  });
});

describe('extremely randomised trees', () => {
  it('say probabilities, and know a rare class by its weight', () => {
    const rows = noisyRows(900, 4, 6);
    const classes = Int32Array.from(rows, ([a = 0, b = 0]) => (a > 1.2 ? 2 : b > 0 ? 1 : 0));
    const forest = trainForest(matrixOf(rows), classes, { classes: 3, trees: 50, columns: 2, leafRows: 3, seed: 1 });
    const asked = noisyRows(300, 4, 7);
    const said = predictForest(forest, matrixOf(asked));
    asked.forEach(([a = 0, b = 0], row) => {
      expect(said.subarray(row * 3, row * 3 + 3).reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 9);
      if (Math.abs(a - 1.2) > 0.4 && Math.abs(b) > 0.4) expect(argMax(said, row, 3)).toBe(a > 1.2 ? 2 : b > 0 ? 1 : 0);
    });
  });
});

describe('distance monitor', () => {
  /** An autoregressive process whose second value follows the first. */
  const course = (rows: number, seed: number, shift: number): number[][] => {
    const random = new Random(seed);
    let a = 0;
    return Array.from({ length: rows }, () => [(a = 0.6 * a + random.normal()), a + 0.1 * random.normal() + shift, random.normal()]);
  };
  const monitor = fitDistanceMonitor(matrixOf(course(600, 1, 0)), { lags: 2, shrinkage: 0.01, memory: 0.2, alpha: 0.005 });

  it('is quiet on another run of normal operation and finds a broken correlation that no single value shows', () => {
    const share = (rows: number[][]): number => monitorDistances(monitor, matrixOf(rows)).filter((distance) => distance > 1).length / rows.length;
    expect(share(course(2000, 2, 0))).toBeLessThan(0.03);
    expect(share(course(500, 3, 0.5))).toBeGreaterThan(0.9);
  });

  it('refuses data that is too short, with the number it needs', () => {
    expect(() => fitDistanceMonitor(matrixOf(course(50, 1, 0)), monitor.options)).toThrow('at least 85 are needed');
  });
});

describe('conformal intervals', () => {
  // The error grows with the prediction.
  const cases = (seed: number): { said: number; true: number }[] => {
    const random = new Random(seed);
    return Array.from({ length: 3000 }, () => {
      const said = random.uniform();
      return { said, true: said + said * random.normal() };
    });
  };
  const held = cases(1);
  const halfWidth = conformalHalfWidth(held.map((each) => each.said), held.map((each) => each.true), 0.9);

  it('hold the share asked, where the model is sure and where it is not', () => {
    for (const [low, high] of [[0.05, 0.4], [0.6, 0.95]] as const) {
      const asked = cases(2).filter(({ said }) => said > low && said < high);
      const share = asked.filter((each) => Math.abs(each.said - each.true) <= halfWidth(each.said)).length / asked.length;
      expect(share).toBeGreaterThan(0.86);
      expect(share).toBeLessThan(0.94);
    }
    expect(halfWidth(0.9)).toBeGreaterThan(3 * halfWidth(0.1));
  });

  it('know nothing where too few rows were held out', () => {
    expect(conformalHalfWidth([1, 2, 3], [1, 2, 3], 0.9)(2)).toBe(Infinity);
  });
});

describe('ridge', () => {
  it('finds a line, and shrinks it with the penalty', () => {
    const rows = noisyRows(300, 2, 8);
    const targets = rows.map(([a = 0, b = 0]) => 2 * a - b + 4);
    const free = fitRidge(matrixOf(rows), targets, { penalty: 1e-6 });
    expect(free.weights[0]).toBeCloseTo(2, 6);
    expect(free.bias).toBeCloseTo(4, 6);
    expect(predictLinear(free, matrixOf([[1, 1]]))[0]).toBeCloseTo(5, 6);
    expect(Math.abs(fitRidge(matrixOf(rows), targets, { penalty: 300 }).weights[0]!)).toBeLessThan(1.5);
  });
});

describe('scores', () => {
  it('area under the curve counts pairs, ties half', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.boolean()), { minLength: 2, maxLength: 30 }), (cases) => {
        const positive = cases.filter(([, is]) => is);
        const negative = cases.filter(([, is]) => !is);
        fc.pre(positive.length > 0 && negative.length > 0);
        let won = 0;
        for (const [p] of positive) for (const [n] of negative) won += p > n ? 1 : p === n ? 0.5 : 0;
        expect(areaUnderCurve(cases.map(([score]) => score), cases.map(([, is]) => is))).toBeCloseTo(won / (positive.length * negative.length), 12);
      }),
    );
  });

  it('F1 is 2 hits over 2 hits, false alarms and missed', () => {
    expect(f1Score([true, true, false, false], [true, false, true, false])).toBe(0.5);
  });
});
