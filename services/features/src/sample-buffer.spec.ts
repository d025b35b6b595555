import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Run } from './run.js';
import { SampleBuffer } from './sample-buffer.js';

const T = 1_767_571_200_000_000;

interface Insert {
  readonly run: Run;
  readonly times: readonly number[];
  readonly values: readonly number[];
  readonly float64: boolean;
}

/** Regular runs with whole and broken intervals, and irregular ones, over a stretch so short that they interleave. */
const inserts: fc.Arbitrary<Insert[]> = fc.array(
  fc
    .record({
      at: fc.integer({ min: 0, max: 400 }),
      interval: fc.constantFrom(10, 10, 7, 10 / 3, 39.0625),
      irregular: fc.boolean(),
      values: fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 12 }),
      float64: fc.boolean(),
    })
    .map(({ at, interval, irregular, values, float64 }) => {
      const times = values.map((_, i) => (irregular ? T + at + i * 9 + ((i * i) % 5) : Math.round(T + at + i * interval)));
      const run: Run = irregular
        ? { originUs: T + at, intervalUs: 0, times: Float64Array.from(times), first: 0, count: times.length }
        : { originUs: T + at, intervalUs: interval, first: 0, count: times.length };
      return { run, times, values, float64 };
    }),
  { minLength: 1, maxLength: 12 },
);

const contents = (buffer: SampleBuffer, startUs: number, endUs: number) => {
  const window = buffer.window(startUs, endUs, 1);
  return { values: [...(window?.values ?? [])], times: [...(window?.offsetsUs ?? [])].map((offset) => startUs + offset) };
};

describe('sample buffer', () => {
  it('holds what a sorted map of time to value holds, and gives any window of it', () => {
    fc.assert(
      fc.property(inserts, fc.integer({ min: 0, max: 600 }), fc.integer({ min: 0, max: 600 }), fc.integer({ min: 0, max: 300 }), (all, from, length, dropped) => {
        let buffer = new SampleBuffer();
        let model = new Map<number, number>();
        all.forEach(({ run, times, values, float64 }, n) => {
          buffer.insert(run, float64 ? Float64Array.from(values) : Float32Array.from(values));
          times.forEach((time, i) => model.set(time, values[i]!));
          if (n === 4) {
            buffer.dropBefore(T + dropped);
            model = new Map([...model].filter(([time]) => time >= T + dropped));
          }
          if (n === 7) buffer = SampleBuffer.of(buffer.contents());
        });
        const sorted = [...model].sort(([a], [b]) => a - b);
        const inside = sorted.filter(([time]) => time >= T + from && time < T + from + length);
        const got = contents(buffer, T + from, T + from + length);
        expect(got.values).toEqual(inside.map(([, value]) => value));
        // A window of one sample at its very start needs no offsets.
        if (got.times.length > 0) expect(got.times).toEqual(inside.map(([time]) => time));
        expect(buffer.timeAtOrAfter(T + from)).toBe(sorted.find(([time]) => time >= T + from)?.[0] ?? Infinity);
      }),
      { numRuns: 500 },
    );
  });

  it('keeps regular blocks that follow each other as one run', () => {
    const buffer = new SampleBuffer();
    for (let n = 0; n < 100; n++) buffer.insert({ originUs: T + n * 10, intervalUs: 10, first: 0, count: 1 }, Float32Array.of(n));
    expect(buffer.contents().runs).toEqual([{ originUs: T, intervalUs: 10, first: 0, count: 100 }]);
    expect(buffer.window(T + 500, T + 600, 10)).toEqual({ values: Float32Array.from({ length: 10 }, (_, i) => 50 + i) });
  });

  it('sees a gap by its width, and jitter of rounding as none', () => {
    const buffer = new SampleBuffer();
    const interval = 1e6 / 12_000;
    for (let n = 0; n < 10; n++) if (n !== 7) buffer.insert({ originUs: Math.round(T + n * 100 * interval), intervalUs: interval, first: 0, count: 100 }, new Float32Array(100));
    expect(buffer.window(T, T + Math.round(600 * interval), interval)!.offsetsUs).toBeUndefined();
    expect(buffer.window(T, T + Math.round(900 * interval), interval)!.offsetsUs).toHaveLength(800);
  });

  it('keeps float32 until a float64 sample comes', () => {
    const buffer = new SampleBuffer();
    buffer.insert({ originUs: T, intervalUs: 10, first: 0, count: 1 }, Float32Array.of(0.5));
    expect(buffer.contents().values).toEqual(Float32Array.of(0.5));
    buffer.insert({ originUs: T + 10, intervalUs: 10, first: 0, count: 1 }, Float64Array.of(0.1));
    expect(buffer.contents().values).toEqual(Float64Array.of(0.5, 0.1));
  });
});
