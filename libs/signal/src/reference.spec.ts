import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { EnvelopeFeatures, peakCrossCorrelation, SpectrumFeatures, STATISTICS, statistics } from './index.js';

type Numbers = readonly (number | null)[];

/** Computed once by reference/make_reference.py with numpy and scipy; null is NaN. */
const reference = JSON.parse(readFileSync(new URL('../reference/reference.json', import.meta.url), 'utf8')) as {
  statistics: Record<string, { samples: Numbers; interval_us: number; offsets_us?: Numbers; expected: number; values: Numbers }>;
  spectrum: Record<string, { samples: Numbers; rate: number; bands: number[]; peaks: number; values: Numbers }>;
  envelope: Record<string, { samples: Numbers; rate: number; band: [number, number]; shaft: number; orders: Record<string, number>; harmonics: number; values: Numbers }>;
  correlation: Record<string, { a: Numbers; b: Numbers; value: number }>;
};

const array = (numbers: Numbers) => Float64Array.from(numbers, (x) => x ?? NaN);

function centered(samples: Float64Array): Float64Array {
  const mean = samples.reduce((sum, x) => sum + x, 0) / samples.length;
  return samples.map((x) => x - mean);
}

/** To 1e-6 of the value, or of 1 where it is smaller. */
function expectClose(names: readonly string[], values: Float64Array, expected: Numbers): void {
  const wrong = names.flatMap((name, i) => {
    const want = expected[i] ?? NaN;
    const got = values[i]!;
    const same = Number.isNaN(want) ? Number.isNaN(got) : Math.abs(got - want) <= 1e-6 * Math.max(1, Math.abs(want));
    return same ? [] : [`${name}: ${got}, not ${want}`];
  });
  expect(wrong).toEqual([]);
}

describe('statistics equal numpy and scipy', () => {
  it.each(Object.entries(reference.statistics))('%s', (_, { samples, interval_us, offsets_us, expected, values }) => {
    const out = new Float64Array(STATISTICS.length);
    statistics(array(samples), samples.length, offsets_us ? array(offsets_us) : Float64Array.from(samples, (_, i) => i * interval_us), expected, out, 0);
    expectClose(STATISTICS, out, values);
  });
});

describe('spectrum equals scipy.signal.periodogram', () => {
  it.each(Object.entries(reference.spectrum))('%s', (_, { samples, rate, bands, peaks, values }) => {
    const features = new SpectrumFeatures({ bandsHz: bands, peaks }, samples.length, rate);
    const out = new Float64Array(features.names.length);
    features.compute(centered(array(samples)), 1, out, 0);
    expectClose(features.names, out, values);
  });
});

describe('envelope equals scipy.signal.hilbert of the band-passed signal', () => {
  it.each(Object.entries(reference.envelope))('%s', (_, { samples, rate, band, shaft, orders, harmonics, values }) => {
    const features = new EnvelopeFeatures({ bandHz: band, speedSignal: 'speed', orders, harmonics }, samples.length, rate);
    const out = new Float64Array(features.names.length);
    features.compute(centered(array(samples)), samples.length, shaft, out, 0);
    expectClose(features.names, out, values);
  });
});

describe('cross-correlation equals scipy.signal.correlate', () => {
  it.each(Object.entries(reference.correlation))('%s', (_, { a, b, value }) => {
    expect(peakCrossCorrelation(centered(array(a)), centered(array(b)), a.length)).toBeCloseTo(value, 9);
  });
});
