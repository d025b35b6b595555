import { describe, expect, it } from '@jest/globals';
import { FeatureExtractor, type FeatureKind } from './index.js';

const pump: FeatureKind = {
  name: 'pump',
  window: { lengthUs: 100_000 },
  signals: [
    {
      name: 'vibration',
      rateHz: 10_240,
      spectrum: { bandsHz: [0, 1000, 5000], peaks: 2 },
      envelope: { bandHz: [1500, 4500], speedSignal: 'speed', orders: { bpfo: 3.5 }, harmonics: 2 },
    },
    { name: 'sound', rateHz: 10_240 },
    { name: 'speed', rateHz: 10 },
    { name: 'load', rateHz: 10 },
  ],
};

const values = (extractor: FeatureExtractor, out: Float64Array) => new Map(extractor.names.map((name, i) => [name, out[i]!]));

function extract(extractor: FeatureExtractor, windows: Parameters<FeatureExtractor['extract']>[0], references: Float64Array[] = []) {
  return values(extractor, extractor.extract(windows, references, new Float64Array(extractor.names.length)));
}

const tone = (hz: number, count = 1024) => Float32Array.from({ length: count }, (_, i) => Math.sin((2 * Math.PI * hz * i) / 10_240));

describe('layout', () => {
  const extractor = new FeatureExtractor(pump);

  it('names features signal by signal, then z-scores, then pairs of the same rate with enough samples', () => {
    const of = (signal: string) => extractor.names.filter((name) => name.startsWith(`${signal}.`)).map((name) => name.slice(signal.length + 1));
    const base = ['mean', 'std', 'rms', 'peak', 'peak_to_peak', 'crest', 'skewness', 'kurtosis', 'slope', 'missing_ratio'];
    expect(of('vibration')).toEqual([...base, 'band_0', 'band_1', 'peak_hz_0', 'peak_hz_1', 'centroid', 'entropy', 'env_bpfo', 'z']);
    expect(of('load')).toEqual([...base, 'z']);
    expect(extractor.names.slice(-5)).toEqual(['vibration.z', 'sound.z', 'speed.z', 'load.z', 'vibration~sound.xcorr']);
  });

  it('takes 16 pairs at most', () => {
    const signals = Array.from({ length: 52 }, (_, i) => ({ name: `X${i}`, rateHz: 100 }));
    const names = new FeatureExtractor({ ...pump, signals }).names.filter((name) => name.endsWith('.xcorr'));
    expect([names.length, names[0], names[15]]).toEqual([16, 'X0~X1.xcorr', 'X15~X16.xcorr']);
  });

  it('has an id that changes with the kind and the names, and with nothing else', () => {
    expect(new FeatureExtractor(pump).layout).toBe(extractor.layout);
    expect(new FeatureExtractor({ ...pump, name: 'fan' }).layout).not.toBe(extractor.layout);
    expect(new FeatureExtractor({ ...pump, signals: pump.signals.slice(0, 3) }).layout).not.toBe(extractor.layout);
  });
});

describe('extract', () => {
  const extractor = new FeatureExtractor(pump);

  it('reads the shaft speed from its signal, wherever that stands', () => {
    // Depth 0.8 at 3.5 x 6000 rpm / 60 = 350 Hz over a carrier of 3 kHz: 0.8² / 2 of energy.
    const modulated = Float32Array.from({ length: 1024 }, (_, i) => (1 + 0.8 * Math.cos((2 * Math.PI * 350 * i) / 10_240)) * Math.sin((2 * Math.PI * 3000 * i) / 10_240));
    const window = { values: modulated };
    expect(extract(extractor, [window, undefined, { values: Float64Array.of(6000) }, undefined]).get('vibration.env_bpfo')).toBeCloseTo(0.32, 2);
    expect(extract(extractor, [window, undefined, { values: Float64Array.of(6000 / 1.7) }, undefined]).get('vibration.env_bpfo')).toBeLessThan(0.01);
    expect(extract(extractor, [window, undefined, undefined, undefined]).get('vibration.env_bpfo')).toBeNaN();
  });

  it('puts samples with gaps back in their places', () => {
    const whole = tone(500);
    const kept = whole.map((_, i) => i).filter((i) => i < 200 || i >= 300);
    const holed = { values: kept.map((i) => whole[i]!), offsetsUs: Float64Array.from(kept, (i) => Math.round((i * 1e6) / 10_240) + 7) };
    const features = extract(extractor, [holed, { values: whole }, undefined, undefined]);
    expect(features.get('vibration.missing_ratio')).toBeCloseTo(100 / 1024, 12);
    expect(features.get('vibration.peak_hz_0')).toBeCloseTo(500, 0);
    expect(features.get('vibration.band_0')).toBeGreaterThan(0.45);
    expect(features.get('vibration~sound.xcorr')).toBeGreaterThan(0.9);
  });

  it('gives no spectrum of a signal of which more than half is missing', () => {
    const features = extract(extractor, [{ values: tone(500, 500) }, undefined, undefined, undefined]);
    expect(features.get('vibration.rms')).toBeCloseTo(Math.SQRT1_2, 1);
    expect(['band_0', 'peak_hz_0', 'centroid', 'entropy'].map((name) => features.get(`vibration.${name}`))).toEqual([NaN, NaN, NaN, NaN]);
    expect(features.get('vibration~sound.xcorr')).toBeNaN();
  });

  it('leaves nothing of one window in the next', () => {
    const windows = [{ values: tone(700) }, { values: tone(900, 1000) }, { values: Float64Array.of(3000) }, undefined];
    const fresh = extract(new FeatureExtractor(pump), windows);
    extract(extractor, [{ values: tone(200, 2000) }, undefined, undefined, { values: Float64Array.of(5) }]);
    expect(extract(extractor, windows)).toEqual(fresh);
  });

  it('tells silent signals and the share of samples that is missing', () => {
    const out = new Float64Array(extractor.names.length);
    extractor.extract([{ values: tone(700) }, { values: tone(700, 512) }, { values: Float64Array.of(NaN) }, undefined], [], out);
    expect(extractor.silent(out)).toEqual([2, 3]);
    expect(extractor.missingRatio(out)).toBeCloseTo((512 + 2) / 2050, 12);
  });

  it('takes z-scores against the means of earlier windows', () => {
    const references = Array.from({ length: 10 }, (_, i) => Float64Array.of(0, 0, 100 + (i % 2), NaN));
    const features = extract(extractor, [undefined, undefined, { values: Float64Array.of(103) }, { values: Float64Array.of(1) }], references);
    expect(features.get('speed.z')).toBeCloseTo(5, 12);
    expect(features.get('load.z')).toBeNaN();
  });
});
