import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { fitMiniRocket, KERNEL_COUNT, transformMiniRocket, type MiniRocket } from './minirocket.js';
import { Random } from './random.js';

interface Case {
  readonly history: number;
  /** [samples][channels][history] */
  readonly series: readonly (readonly (readonly number[])[])[];
  readonly channelsPerKernel: readonly number[];
  readonly channels: readonly number[];
  readonly dilations: readonly number[];
  readonly featuresPerDilation: readonly number[];
  readonly biases: readonly number[];
  readonly features: readonly (readonly number[])[];
}

const { cases } = JSON.parse(readFileSync(new URL('../reference/minirocket.json', import.meta.url), 'utf8')) as { cases: readonly Case[] };

const flat = ({ series, history }: Case): Float32Array => Float32Array.from(series.flatMap((sample) => Array.from({ length: history }, (_, step) => sample.map((channel) => channel[step]!)).flat()));

/** The reference's own random choices. */
function rocketOf({ history, series, channelsPerKernel, channels, dilations, featuresPerDilation, biases }: Case): MiniRocket {
  let [kernel, channel, bias] = [0, 0, 0];
  return {
    history,
    channels: series[0]!.length,
    features: biases.length,
    dilations: dilations.map((dilation, index) => {
      const chosen: number[][] = [];
      const thresholds: Float64Array[] = [];
      const padded: boolean[] = [];
      for (let i = 0; i < KERNEL_COUNT; i++) {
        chosen.push(channels.slice(channel, (channel += channelsPerKernel[kernel++]!)));
        thresholds.push(Float64Array.from(biases.slice(bias, (bias += featuresPerDilation[index]!)), (each) => each * 1024));
        padded.push((index + i) % 2 === 0);
      }
      return { dilation, channels: chosen, biases: thresholds, padded };
    }),
  };
}

describe('MiniRocket', () => {
  it.each(cases)('gives the features of aeon for windows of $history steps', (each) => {
    const { values, columns } = transformMiniRocket(rocketOf(each), flat(each), each.series.length);
    each.features.forEach((row, sample) => row.forEach((value, i) => expect(values[sample * columns + i]).toBeCloseTo(value, 6)));
  });

  it.each(cases)('spreads its features over the dilations of aeon for windows of $history steps', (each) => {
    const { dilations } = fitMiniRocket(flat(each), each.series.length, each.history, 3, { features: 588, seed: 1 });
    expect(dilations.map(({ dilation }) => dilation)).toEqual(each.dilations);
    expect(dilations.map(({ biases }) => biases[0]!.length)).toEqual(each.featuresPerDilation);
  });

  it('has biases that training windows lie on both sides of, and is the same for the same seed', () => {
    const random = new Random(5);
    const scaled = Float32Array.from({ length: 50 * 20 * 2 }, () => random.normal());
    const rocket = fitMiniRocket(scaled, 50, 20, 2, { features: 1000, seed: 2 });
    expect(rocket.features).toBe(11 * KERNEL_COUNT);
    const { values } = transformMiniRocket(rocket, scaled, 50);
    const mean = values.reduce((sum, each) => sum + each, 0) / values.length;
    expect(mean).toBeGreaterThan(0.4);
    expect(mean).toBeLessThan(0.6);
    expect(fitMiniRocket(scaled, 50, 20, 2, { features: 1000, seed: 2 })).toEqual(rocket);
  });

  it('refuses windows shorter than a kernel', () => {
    expect(() => fitMiniRocket(new Float32Array(8), 1, 8, 1, { features: 84, seed: 1 })).toThrow('windows have 8 steps, and a kernel has 9');
  });
});
