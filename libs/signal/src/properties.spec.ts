import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EnvelopeFeatures, fnv1a64, peakCrossCorrelation, PowerSpectrum, SpectrumFeatures, STATISTICS, statistics, zScore } from './index.js';

const samples = (minLength: number) =>
  fc.array(fc.double({ min: -1000, max: 1000, noNaN: true }), { minLength, maxLength: 200 }).map((xs) => Float64Array.from(xs));

function stats(x: Float64Array): Record<(typeof STATISTICS)[number], number> {
  const out = new Float64Array(STATISTICS.length);
  statistics(x, x.length, x.map((_, i) => 1000 * i), x.length, out, 0);
  return Object.fromEntries(STATISTICS.map((name, i) => [name, out[i]!])) as Record<(typeof STATISTICS)[number], number>;
}

const near = (a: number, b: number, scale: number) => Math.abs(a - b) <= 1e-9 * Math.max(1, scale) || (Number.isNaN(a) && Number.isNaN(b));

/** Sum of the squares of a periodic Hann window of 32. */
const SQUARED_HANN_32 = 12;

describe('statistics', () => {
  it('move with an offset and grow with a gain as they must', () => {
    fc.assert(
      fc.property(samples(2), fc.integer({ min: -500, max: 500 }), fc.constantFrom(0.5, 2, 8), (x, offset, gain) => {
        const before = stats(x);
        // Rounding of the shifted samples themselves must not matter.
        fc.pre(before.std > 1e-3);
        const after = stats(x.map((v) => v * gain + offset));
        return (
          near(after.mean, before.mean * gain + offset, 1e4) &&
          near(after.std, before.std * gain, 1e4) &&
          near(after.peak_to_peak, before.peak_to_peak * gain, 1e4) &&
          near(after.slope, before.slope * gain, 1e7) &&
          Math.abs(after.skewness - before.skewness) < 1e-6 * Math.max(1, Math.abs(before.skewness)) &&
          Math.abs(after.kurtosis - before.kurtosis) < 1e-6 * Math.max(1, Math.abs(before.kurtosis))
        );
      }),
    );
  });

  it('do not see missing samples', () => {
    fc.assert(
      fc.property(samples(1), fc.integer({ min: 0, max: 200 }), (x, at) => {
        const place = Math.min(at, x.length);
        const gap = Float64Array.from([...x.slice(0, place), NaN, ...x.slice(place)]);
        const whole = stats(x);
        const holed = stats(gap);
        return STATISTICS.every((name) => name === 'slope' || name === 'missing_ratio' || Object.is(whole[name], holed[name])) && near(holed.missing_ratio, 1 / gap.length, 1);
      }),
    );
  });
});

describe('power spectrum', () => {
  it('adds up to the mean square weighted by the window (Parseval)', () => {
    fc.assert(
      fc.property(samples(1), (x) => {
        const spectrum = new PowerSpectrum(x.length, 100);
        fc.pre(x.length > 1);
        spectrum.compute(x, 1);
        let weighted = 0;
        let weights = 0;
        x.forEach((v, i) => {
          const w = Math.sin((Math.PI * i) / x.length) ** 2;
          weighted += (w * v) ** 2;
          weights += w * w;
        });
        const total = spectrum.power.reduce((sum, p) => sum + p, 0);
        return Math.abs(total - weighted / weights) <= 1e-9 * Math.max(1, total);
      }),
    );
  });

  it('is the same from the transform without window', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { minLength: 32, maxLength: 32 }), (numbers) => {
        const x = Float64Array.from(numbers);
        const [direct, shared] = [new PowerSpectrum(32, 32), new PowerSpectrum(32, 32)];
        const envelope = new EnvelopeFeatures({ bandHz: [4, 8], speedSignal: 'speed', orders: { o: 1 }, harmonics: 1 }, 32, 32);
        direct.compute(x, 1.5);
        shared.computeFromTransform(envelope.transform(x, 32), 1.5);
        // Of all of x, also of what the window leaves nothing of: the transform has it, and windowing there cancels it.
        const total = (1.5 * numbers.reduce((sum, v) => sum + v * v, 0)) / SQUARED_HANN_32;
        return direct.power.every((p, k) => Math.abs(p - shared.power[k]!) <= 1e-13 * total + Number.MIN_VALUE);
      }),
      { examples: [[Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0))]] },
    );
  });

  it('finds a tone between two bins to a hundredth of a bin', () => {
    fc.assert(
      fc.property(fc.double({ min: 20, max: 480, noNaN: true }), (hz) => {
        const x = Float64Array.from({ length: 1024 }, (_, i) => Math.sin((2 * Math.PI * hz * i) / 1024 + 0.3));
        const features = new SpectrumFeatures({ bandsHz: [0, 512], peaks: 1 }, 1024, 1024);
        const out = new Float64Array(features.names.length);
        features.compute(x, 1, out, 0);
        // Hann's main lobe is not quite a parabola in decibels: at most 0.016 bins off half way between two.
        return Math.abs(out[features.names.indexOf('peak_hz_0')]! - hz) < 0.02;
      }),
    );
  });

  it('has no peaks, centroid or entropy without power', () => {
    const features = new SpectrumFeatures({ bandsHz: [0, 5], peaks: 2 }, 32, 10);
    const out = new Float64Array(features.names.length);
    features.compute(new Float64Array(32), 1, out, 0);
    expect([...out]).toEqual([0, NaN, NaN, NaN, NaN]);
  });
});

describe('cross-correlation', () => {
  it('is 1 of a signal with itself at any gain, -1 with its opposite, and never more', () => {
    fc.assert(
      fc.property(samples(8), samples(8), (a, b) => {
        fc.pre(a.some((x) => Math.abs(x) > 1e-3) && b.some((x) => Math.abs(x) > 1e-3));
        const n = Math.min(a.length, b.length);
        return (
          near(peakCrossCorrelation(a, a.map((x) => 3 * x), a.length), 1, 1) &&
          near(peakCrossCorrelation(a, a.map((x) => -x), a.length), -1, 1) &&
          !(Math.abs(peakCrossCorrelation(a, b, n)) > 1 + 1e-12)
        );
      }),
    );
  });
});

describe('z-score', () => {
  const rows = (values: number[]) => values.map((x) => Float64Array.of(x));

  it('counts standard deviations from the references', () => {
    expect(zScore(9, rows([1, 3, 1, 3, 1, 3, 1, 3]), 0)).toBe(7);
  });

  it('is NaN with fewer than 8 references or equal ones; NaN references do not count', () => {
    expect(zScore(9, rows([1, 3, 1, 3, 1, 3, 1]), 0)).toBeNaN();
    expect(zScore(9, rows([1, 3, 1, 3, 1, 3, 1, NaN]), 0)).toBeNaN();
    expect(zScore(9, rows(Array.from({ length: 20 }, () => 0.1)), 0)).toBeNaN();
  });
});

it('FNV-1a gives the published values', () => {
  // http://www.isthe.com/chongo/tech/comp/fnv: test vectors of the 64-bit hash.
  expect(['', 'a', 'foobar'].map(fnv1a64)).toEqual(['cbf29ce484222325', 'af63dc4c8601ec8c', '85944171f73967e8']);
});
