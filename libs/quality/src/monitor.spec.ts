import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { formatMonitorBaseline, parseMonitorBaseline } from './monitor-baseline.js';
import { Monitor } from './monitor.js';
import { speLimit, t2Limit } from './multivariate-limits.js';
import { fitMonitorBaseline, type MonitorFit } from './pca.js';

/** The data of NIST/SEMATECH e-Handbook 6.5.5.2. */
const NIST = [[7, 4, 3], [4, 1, 8], [6, 3, 5], [8, 6, 1], [8, 5, 7], [7, 2, 9], [5, 3, 3], [9, 5, 8], [7, 4, 5], [8, 2, 2]];

const fitOptions = (features: readonly string[]): MonitorFit => ({ kind: 'unit', features, alpha: 0.01, varianceExplained: 0.8, overlap: 1, dataSha256: 'abc' });

/** Seeded normal numbers: mulberry32 and Box-Muller. */
function gaussian(seed: number): () => number {
  let state = seed;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Six features driven by two independent causes, and noise. */
function plantData(count: number, seed: number): Float64Array[] {
  const next = gaussian(seed);
  return Array.from({ length: count }, () => {
    const [a, b] = [next(), next()];
    return Float64Array.of(10 + a, 5 - 2 * a, a + b, 100 + 3 * b, b - a, 2 * b).map((value) => value + 0.3 * next());
  });
}
const SIX = ['f0', 'f1', 'f2', 'f3', 'f4', 'f5'];

describe('monitor baseline', () => {
  it('has the eigenvalues of the NIST principal components example', () => {
    // Repeating the rows leaves the correlation matrix as it is.
    const rows = [NIST, NIST, NIST, NIST].flat().map((row) => Float64Array.from(row));
    const baseline = fitMonitorBaseline(rows, fitOptions(['x1', 'x2', 'x3']));
    expect(baseline.eigenvalues).toHaveLength(2);
    expect(baseline.eigenvalues[0]).toBeCloseTo(1.769, 3);
    expect(baseline.eigenvalues[1]).toBeCloseTo(0.927, 3);
    // numpy.linalg.eigh of the correlation matrix; the largest coefficient is positive here.
    [0.642004576349894, 0.6863616413605773, -0.3416691692479825].forEach((value, j) => expect(baseline.loadings[0]![j]).toBeCloseTo(value, 10));
  });

  it('has the limits that scipy computes', () => {
    expect(t2Limit(3, 54, 0.01)).toBeCloseTo(13.306812382479515, 8);
    expect(speLimit([0.9, 0.5, 0.3, 0.1], 0.01)).toBeCloseTo(7.039866878047887, 8);
  });

  it('raises about as many false alarms as asked for, on data that it has not seen', () => {
    const monitor = new Monitor(fitMonitorBaseline(plantData(500, 1), fitOptions(SIX)));
    const limits = fitMonitorBaseline(plantData(500, 1), fitOptions(SIX));
    const scores = plantData(5000, 2).map((row) => monitor.evaluate(row)!);
    for (const share of [scores.filter((s) => s.t2 > limits.t2Limit).length / 5000, scores.filter((s) => s.spe > limits.speLimit).length / 5000]) {
      expect(share).toBeGreaterThan(0.002);
      expect(share).toBeLessThan(0.02);
    }
  });

  it('leaves out what does not vary and says so when nothing is left, or too little data', () => {
    const rows = plantData(100, 1).map((row) => Float64Array.of(...row, 7));
    expect(fitMonitorBaseline(rows, fitOptions([...SIX, 'constant'])).features).toEqual(SIX);
    expect(() => fitMonitorBaseline(rows.map(() => Float64Array.of(1, 1)), fitOptions(['a', 'b']))).toThrow('kind unit: 0 of 2 features vary');
    expect(() => fitMonitorBaseline(rows.slice(0, 20), fitOptions([...SIX, 'constant']))).toThrow('20 complete windows of normal operation for 6 features: give data for at least 30');
    expect(() => fitMonitorBaseline(rows.map((row) => Float64Array.of(row[0]!, row[0]!)), fitOptions(['a', 'b']))).toThrow('choose fewer features');
  });

  it('comes back from its file as it was', () => {
    const baseline = fitMonitorBaseline(plantData(100, 3), fitOptions(SIX));
    expect(parseMonitorBaseline(formatMonitorBaseline(baseline), 'b.json')).toEqual(baseline);
  });

  it.each([
    ['{', 'b.json: is not JSON'],
    ['[]', 'b.json: format: undefined is not 1'],
    [{ std: [1, 0, 1, 1, 1, 1] }, 'b.json: std[1]: is 0, not a number above 0'],
    [{ mean: [1] }, 'b.json: mean: is a list of 1, not a list of 6 numbers'],
    [{ loadings: [[1]] }, 'b.json: loadings: is a list of 1, not a list of 2 lists'],
    [{ features: undefined }, 'b.json: features: is missing, not a list of texts'],
    [{ t2Limit: 'high' }, 'b.json: t2Limit: is "high", not a number above 0'],
    [{ eigenvalues: [] }, 'b.json: eigenvalues: 0 components of 6 features'],
  ])('refuses %j', (change, message) => {
    const baseline = fitMonitorBaseline(plantData(100, 3), fitOptions(SIX));
    const text = typeof change === 'string' ? change : JSON.stringify({ ...baseline, ...change });
    expect(() => parseMonitorBaseline(text, 'b.json')).toThrow(message);
    expect(() => parseMonitorBaseline(text, 'b.json')).toThrow('millwright quality baseline');
  });
});

describe('monitor', () => {
  it('gives the T² and SPE that numpy computes for the NIST data', () => {
    const monitor = new Monitor({
      mean: [6.9, 3.5, 5.1],
      std: [1.52388393, 1.58113883, 2.80673792],
      loadings: [[-0.642004576349894, -0.6863616413605773, 0.3416691692479825], [0.38467229168844375, 0.09713033013430535, 0.9179286066874491]],
      eigenvalues: [1.76877414, 0.92707592],
    });
    const score = monitor.evaluate(Float64Array.of(9, 1, 1))!;
    expect(score.t2).toBeCloseTo(1.053545732809813, 7);
    expect(score.spe).toBeCloseTo(5.513751415841557, 7);
  });

  const baseline = fitMonitorBaseline(plantData(300, 4), fitOptions(SIX));
  const monitor = new Monitor(baseline);
  const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);
  const values = fc.array(fc.double({ min: -200, max: 200, noNaN: true }), { minLength: 6, maxLength: 6 });

  it('splits both statistics into contributions that add up, with and without missing values', () => {
    fc.assert(
      fc.property(values, fc.option(fc.integer({ min: 0, max: 5 })), (row, gap) => {
        const score = monitor.evaluate(Float64Array.from(row, (value, j) => (j === gap ? NaN : value)))!;
        expect(sum(score.t2Contributions) / score.t2).toBeCloseTo(1, 8);
        expect(sum(score.speContributions) / score.spe).toBeCloseTo(1, 8);
        for (const contribution of [...score.t2Contributions, ...score.speContributions]) expect(contribution).toBeGreaterThanOrEqual(0);
        if (gap !== null) expect(score.speContributions[gap]).toBe(0);
      }),
    );
  });

  it('names the feature that broke away from the others', () => {
    const [row] = plantData(1, 5);
    row![3]! += 30;
    const score = monitor.evaluate(row!)!;
    expect(score.spe).toBeGreaterThan(baseline.speLimit);
    expect(score.speContributions.indexOf(Math.max(...score.speContributions))).toBe(3);
  });

  it('judges normal data with a value missing as normal data', () => {
    const rows = plantData(500, 6);
    const out = rows.filter((row, i) => {
      row[i % 6] = NaN;
      const score = monitor.evaluate(row)!;
      return score.t2 > baseline.t2Limit || score.spe > baseline.speLimit;
    });
    expect(out.length / rows.length).toBeLessThan(0.04);
  });

  it('does not judge by fewer than half of the features', () => {
    expect(monitor.evaluate(Float64Array.of(10, NaN, NaN, NaN, 0, 0))).toBeDefined();
    expect(monitor.evaluate(Float64Array.of(10, NaN, NaN, NaN, NaN, 0))).toBeUndefined();
  });
});
