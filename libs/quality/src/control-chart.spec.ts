import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { addValue, controlLimits, newControlChart, type ControlChartSpec, type ControlPoint } from './control-chart.js';

function run(spec: ControlChartSpec, values: readonly number[]): { points: ControlPoint[]; limits: ReturnType<typeof controlLimits> | undefined } {
  const state = newControlChart();
  const points = values.flatMap((value) => addValue(spec, state, value) ?? []);
  return { points, limits: state.limits };
}

describe('control charts', () => {
  // NIST/SEMATECH e-Handbook 6.3.2.2, flow rates.
  it('give the limits of the NIST individuals chart', () => {
    const flow = [49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1];
    const { limits } = run({ type: 'i-mr', subgroup: 1, baseline: 10, rules: [1] }, flow);
    expect(limits!.dispersion.center).toBeCloseTo(1.8778, 4);
    expect(limits!.location.center).toBeCloseTo(50.81, 10);
    // The handbook rounds d2 to 1.128.
    expect(limits!.location.upper).toBeCloseTo(55.8041, 2);
    expect(limits!.location.lower).toBeCloseTo(45.8159, 2);
    expect(limits!.dispersion.lower).toBe(0);
    expect(limits!.dispersion.upper).toBeCloseTo(3.267 * 1.8778, 2);
  });

  // Factors of the ASTM table for n = 5: A2 = 0.577, D4 = 2.114; A3 = 1.427, B4 = 2.089; n = 10: A3 = 0.975, B3 = 0.284, B4 = 1.716.
  it.each([
    ['xbar-r', 5, 0.577, 0, 2.114],
    ['xbar-s', 5, 1.427, 0, 2.089],
    ['xbar-s', 10, 0.975, 0.284, 1.716],
    ['xbar-r', 10, 0.308, 0.223, 1.777],
  ] as const)('have the published factors: %s of %d', (type, subgroup, a, lower, upper) => {
    const limits = controlLimits({ type, subgroup }, 10, 1);
    expect(limits.location.upper - 10).toBeCloseTo(a, 3);
    expect(10 - limits.location.lower).toBeCloseTo(a, 3);
    expect(limits.dispersion.lower).toBeCloseTo(lower, 2);
    expect(limits.dispersion.upper).toBeCloseTo(upper, 2);
  });

  it('freeze the limits after phase I and judge both charts of the pair from then on', () => {
    const spec: ControlChartSpec = { type: 'xbar-r', subgroup: 2, baseline: 3, rules: [1] };
    const { points, limits } = run(spec, [9, 11, 10, 12, 8, 10, 30, 31, 0, 20]);
    expect(limits!.location.center).toBe(10);
    expect(limits!.dispersion.center).toBe(2);
    expect(points.map((point) => point.rules)).toEqual([[], [], [], [1], []]);
    expect(points.map((point) => point.dispersionOut)).toEqual([false, false, false, false, true]);
  });

  it('wait for the values that a subgroup lacks and take NaN for no value', () => {
    const spec: ControlChartSpec = { type: 'xbar-s', subgroup: 3, baseline: 2, rules: [1] };
    const { points } = run(spec, [1, NaN, 2, 3, 4, 5]);
    expect(points.map((point) => point.location)).toEqual([2]);
    expect(points[0]!.dispersion).toBeCloseTo(1, 14);
  });

  it('find any change of a process that had no spread in phase I', () => {
    const { points } = run({ type: 'i-mr', subgroup: 1, baseline: 5, rules: [1, 2] }, [...Array<number>(8).fill(4), 4.001]);
    expect(points.slice(0, 8).every((point) => point.rules.length === 0)).toBe(true);
    expect(points[8]!.rules).toEqual([1]);
  });

  it('remember a bounded amount, whatever comes', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -100, max: 100 }), { maxLength: 200 }), fc.integer({ min: 2, max: 6 }), (values, subgroup) => {
        const state = newControlChart();
        for (const value of values) {
          addValue({ type: 'xbar-r', subgroup, baseline: 4, rules: [1, 2, 3, 4, 5, 6, 7, 8] }, state, value);
          expect(state.pending.length).toBeLessThan(subgroup);
          expect(state.memory.length).toBeLessThanOrEqual(15);
        }
      }),
    );
  });
});
