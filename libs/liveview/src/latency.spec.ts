import { describe, expect, it } from '@jest/globals';
import { TelemetryBlock } from '@millwright/contracts';
import { LatencyMeter } from './latency.js';

const SECOND = 1_000_000;
const block = (endS: number, signal = 'vibration', asset = 'P-101') =>
  TelemetryBlock.fromPartial({ asset, startUs: (endS - 1) * SECOND, intervalUs: SECOND / 10, count: 10, signals: [{ signal }] });

/** A quantile lies within 2 % above the true value; three digits are given. */
const expectAbout = (quantile: number | null, ms: number): void => {
  expect(quantile).toBeGreaterThanOrEqual(ms * 0.999);
  expect(quantile).toBeLessThanOrEqual(ms * 1.025);
};

describe('latency', () => {
  it('counts from the block that completes the window, the slowest signal group deciding', () => {
    const meter = new LatencyMeter();
    meter.arrived(block(10), 1000);
    meter.arrived(block(10, 'temperature'), 1040);
    meter.arrived(block(11), 2000);
    meter.appeared('P-101', 10 * SECOND, 1090);
    expectAbout(meter.quantile(0.5), 50);
  });

  it('leaves out results of which the data is not known', () => {
    const meter = new LatencyMeter();
    meter.arrived(block(10), 1000);
    meter.appeared('P-102', 10 * SECOND, 1090);
    meter.appeared('P-101', 11 * SECOND, 1090);
    expect(meter.quantile(0.5)).toBeNull();
  });

  it('is not confused by late blocks', () => {
    const meter = new LatencyMeter();
    for (const [end, at] of [[9, 900], [10, 1000], [4, 1010], [5, 1020], [11, 2000]] as const) meter.arrived(block(end), at);
    meter.appeared('P-101', 10 * SECOND, 1030);
    expectAbout(meter.quantile(1), 30);
  });

  it('gives quantiles of thousands of results from a bounded memory', () => {
    const meter = new LatencyMeter();
    for (let i = 1; i <= 10_000; i++) {
      meter.arrived(block(i), i * 1000);
      meter.appeared('P-101', i * SECOND, i * 1000 + (i % 100) + 1);
    }
    expectAbout(meter.quantile(0.5), 50);
    expectAbout(meter.quantile(0.99), 99);
    meter.appeared('P-101', SECOND, 1e9);
    expectAbout(meter.quantile(1), 100);
  });
});
