import { describe, expect, it } from '@jest/globals';
import { capability, cpInterval, cpkInterval } from './capability.js';

describe('capability', () => {
  // NIST/SEMATECH e-Handbook 6.1.6: mean 16, s 2, limits 8 and 20.
  it('gives the NIST example', () => {
    const indices = capability({ mean: 16, sigmaWithin: 2, sigmaOverall: 4 }, { lower: 8, upper: 20, target: 14 });
    expect(indices.cp).toBeCloseTo(1, 12);
    expect(indices.cpk).toBeCloseTo(0.6667, 4);
    expect(indices.pp).toBeCloseTo(0.5, 12);
    expect(indices.ppk).toBeCloseTo(0.3333, 4);
    expect(indices.cpm).toBeCloseTo(12 / (6 * Math.sqrt(8)), 12);
  });

  it('is one-sided where the specification is', () => {
    const indices = capability({ mean: 16, sigmaWithin: 2, sigmaOverall: 2 }, { lower: 8 });
    expect(indices.cp).toBeNaN();
    expect(indices.cpm).toBeNaN();
    expect(indices.cpk).toBeCloseTo(8 / 6, 12);
    expect(capability({ mean: 16, sigmaWithin: 2, sigmaOverall: 2 }, { upper: 20 }).cpk).toBeCloseTo(4 / 6, 12);
  });

  it('is negative where the mean is outside, and undefined without limits', () => {
    expect(capability({ mean: 22, sigmaWithin: 2, sigmaOverall: 2 }, { lower: 8, upper: 20 }).cpk).toBeCloseTo(-1 / 3, 12);
    expect(capability({ mean: 22, sigmaWithin: 2, sigmaOverall: 2 }, {}).cpk).toBeNaN();
  });

  // qcc's process.capability of pistonrings: 125 observations.
  it('has the confidence intervals that qcc prints', () => {
    const [cpLower, cpUpper] = cpInterval(1.70327, 125, 0.95);
    expect(cpLower).toBeCloseTo(1.491, 3);
    expect(cpUpper).toBeCloseTo(1.915, 3);
    const [cpkLower, cpkUpper] = cpkInterval(1.66307, 125, 0.95);
    expect(cpkLower).toBeCloseTo(1.448, 3);
    expect(cpkUpper).toBeCloseTo(1.878, 3);
  });
});
