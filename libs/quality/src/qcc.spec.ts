import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { capability } from './capability.js';
import { addValue, newControlChart } from './control-chart.js';

const data = process.env['MILLWRIGHT_DATA'] ?? resolve(import.meta.dirname, '../../../../shared/data');
const file = join(data, 'spc_qcc/pistonrings.txt.gz');
const present = existsSync(file);

(present ? describe : describe.skip)(`qcc pistonrings${present ? '' : ' (skipped: set MILLWRIGHT_DATA to the folder with spc_qcc)'}`, () => {
  it('has the limits, signals and capability that qcc computes', () => {
    const diameters = gunzipSync(readFileSync(file)).toString().trim().split('\n').slice(1).map((line) => Number(line.split(/\s+/)[0]));
    expect(diameters).toHaveLength(200);
    const state = newControlChart();
    const points = diameters.flatMap((value) => addValue({ type: 'xbar-r', subgroup: 5, baseline: 25, rules: [1] }, state, value) ?? []);
    const { location, dispersion, sigma } = state.limits!;
    expect(location.center).toBeCloseTo(74.00118, 5);
    expect(sigma).toBeCloseTo(0.009785, 6);
    expect(location.lower).toBeCloseTo(73.98805, 5);
    expect(location.upper).toBeCloseTo(74.0143, 5);
    expect(dispersion.center).toBeCloseTo(0.02276, 5);
    expect(points.flatMap((point, i) => (point.rules.length > 0 ? [i + 1] : []))).toEqual([37, 38, 39]);

    const indices = capability({ mean: location.center, sigmaWithin: sigma, sigmaOverall: sigma }, { lower: 73.95, upper: 74.05, target: 74 });
    expect(indices.cp).toBeCloseTo(1.703, 3);
    expect(indices.cpk).toBeCloseTo(1.663, 3);
    expect(indices.cpm).toBeCloseTo(1.691, 3);
  });
});
