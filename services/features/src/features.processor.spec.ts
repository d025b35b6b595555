import { DeadLetter, deadLetterTopic, lateTopic, TOPICS } from '@millwright/contracts';
import { describe, expect, it } from '@jest/globals';
import type { Plant } from '@millwright/plant';
import { PureRun } from '@millwright/streams';
import { createFeaturesProcessor } from './features.processor.js';
import { block, plantOf, windowsOf, type BlockSpec } from './testing/fixtures.js';

const S = 1_000_000;
/** A round time near now: where float64 resolves a quarter of a microsecond. */
const T = 1_767_571_200 * S;
const TUMBLING = '{ length: 2s, hop: 2s, grace: 4s }';

const ramp = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i);

/** A line of blocks for both signals of a tank: level at 10 Hz, temperature at 2 Hz, from second `from` to `to`. */
const both = (from: number, to: number): BlockSpec[] => [
  { startUs: T + from * S, values: { level: ramp((to - from) * 10, from * 10) } },
  { startUs: T + from * S, intervalUs: S / 2, values: { temperature: ramp((to - from) * 2, from * 2) } },
];

function start(plant: Plant) {
  const run = new PureRun(createFeaturesProcessor(plant));
  return {
    run,
    push: (...blocks: BlockSpec[]) => windowsOf(run.push(blocks.map(block)), plant),
    emissions: (...blocks: BlockSpec[]) => run.push(blocks.map(block)),
    watermark: (seconds: number) => windowsOf(run.watermark(T + seconds * S), plant),
  };
}

/** Start in seconds, and revision, of windows. */
const shape = (windows: readonly { startUs: number; revision: number }[]) => windows.map(({ startUs, revision }) => [(startUs - T) / S, revision]);

describe('closing', () => {
  it('closes a window when all signals have reached its end, without waiting for the watermark', () => {
    const { push } = start(plantOf(TUMBLING));
    expect(push({ startUs: T, values: { level: ramp(20) } })).toEqual([]);
    const [window, ...more] = push({ startUs: T, intervalUs: S / 2, values: { temperature: [20, 21, 22, 23] } });
    expect(more).toEqual([]);
    expect(window!.vector).toMatchObject({ asset: 'T-1', kind: 'tank', windowStartUs: T, windowEndUs: T + 2 * S, revision: 0, missingRatio: 0, silentSignals: [] });
    expect([window!.value('level.mean'), window!.value('level.slope'), window!.value('temperature.peak')]).toEqual([9.5, expect.closeTo(10, 9), 23]);
  });

  it('cuts blocks of any size at the ends of windows', () => {
    const whole = start(plantOf(TUMBLING)).push(...both(0, 12));
    expect(shape(whole)).toEqual([[0, 0], [2, 0], [4, 0], [6, 0], [8, 0], [10, 0]]);
    const pieces = start(plantOf(TUMBLING));
    const single = ramp(120).flatMap((i) => {
      const level: BlockSpec = { startUs: T + (i * S) / 10, values: { level: [i] } };
      return pieces.push(...(i % 5 === 0 ? [{ startUs: T + (i * S) / 10, intervalUs: S / 2, values: { temperature: [i / 5] } }, level] : [level]));
    });
    expect(single.map(({ vector }) => vector)).toEqual(whole.map(({ vector }) => vector));
  });

  it('overlaps windows where hop is below length', () => {
    const windows = start(plantOf('{ length: 4s, hop: 1s, grace: 4s }')).push(...both(0, 7));
    expect(shape(windows)).toEqual([[0, 0], [1, 0], [2, 0], [3, 0]]);
    expect(windows.map((window) => window.value('level.mean'))).toEqual([19.5, 29.5, 39.5, 49.5]);
  });

  it('samples bursts where hop is above length: data between windows is neither used nor late', () => {
    const { push, run } = start(plantOf('{ length: 2s, hop: 10s, grace: 1s }'));
    const windows = ramp(30).flatMap((second) => push(...both(second, second + 1)));
    expect(shape(windows)).toEqual([[0, 0], [10, 0], [20, 0]]);
    expect(windows.map((window) => window.value('level.mean'))).toEqual([9.5, 109.5, 209.5]);
    expect(run.ledger()[0]).toMatchObject({ in: 60, processed: 60, late: 0 });
  });

  it('begins with the first window that the data fills from its start', () => {
    const { push } = start(plantOf(TUMBLING));
    expect(shape(push(...both(1, 6)))).toEqual([[2, 0], [4, 0]]);
    // The first sample of a window need not lie on its very start.
    const shifted = start(plantOf(TUMBLING)).push(...both(0, 4).map((spec) => ({ ...spec, startUs: spec.startUs + 30_000 })));
    expect(shape(shifted).slice(0, 1)).toEqual([[0, 0]]);
  });

  it('takes a rate that is no whole number of microseconds without losing a sample', () => {
    const plant = plantOf('{ length: 500ms, hop: 500ms, grace: 1s }');
    const { push } = start(plant);
    const windows = ramp(100).flatMap((i) =>
      push({ asset: 'P-1', startUs: Math.round(T + (i * 512 * S) / 12_000), intervalUs: S / 12_000, values: { vibration: ramp(512) } }),
    );
    expect(windows.map((window) => window.vector.missingRatio)).toEqual(Array(8).fill(0));
    expect(windows.every((window) => window.revision === 0)).toBe(true);
  });

  it('keeps assets apart', () => {
    const { push } = start(plantOf(TUMBLING));
    const windows = push(...both(0, 2), ...both(0, 2).map((spec) => ({ ...spec, asset: 'T-2' })));
    expect(windows.map(({ vector }) => vector.asset)).toEqual(['T-1', 'T-2']);
  });
});

describe('silence', () => {
  it('waits for a signal until the watermark passes, names it silent, and waits for it no more', () => {
    const { push, watermark } = start(plantOf(TUMBLING));
    push(...both(0, 2));
    expect(push({ startUs: T + 2 * S, values: { level: ramp(20) } })).toEqual([]);
    const [first] = watermark(4);
    expect(first!.vector).toMatchObject({ silentSignals: ['temperature'], missingRatio: expect.closeTo(4 / 24, 12) });
    expect(first!.value('temperature.mean')).toBeNaN();
    const [second] = push({ startUs: T + 4 * S, values: { level: ramp(20) } });
    expect(second!.vector.silentSignals).toEqual(['temperature']);
    // Back again: no longer silent, and waited for.
    expect(push({ startUs: T + 6 * S, intervalUs: S / 2, values: { temperature: [1, 1] } })).toEqual([]);
    expect(push({ startUs: T + 6 * S, values: { level: ramp(20) } })).toEqual([]);
    expect(push({ startUs: T + 7 * S, intervalUs: S / 2, values: { temperature: [1, 1] } })[0]!.vector.silentSignals).toEqual([]);
  });

  it('counts a signal that sends only NaN as silent', () => {
    const { push } = start(plantOf(TUMBLING));
    const [window] = push({ startUs: T, values: { level: Array<number>(20).fill(NaN) } }, both(0, 2)[1]!);
    expect(window!.vector.silentSignals).toEqual(['level']);
    expect(window!.value('level.missing_ratio')).toBe(1);
  });

  it('publishes one empty window of an idle asset, then none until data returns, however long that takes', () => {
    const { push, watermark } = start(plantOf(TUMBLING));
    push(...both(0, 2));
    const idle = watermark(1_000);
    expect(shape(idle)).toEqual([[2, 0]]);
    expect(idle[0]!.vector).toMatchObject({ missingRatio: 1, silentSignals: ['level', 'temperature'] });
    expect(watermark(2_000)).toEqual([]);
    const days = 30 * 86_400;
    expect(shape(push(...both(days, days + 4)))).toEqual([[days, 0], [days + 2, 0]]);
  });

  it('leaps over a gap of days without a watermark, too', () => {
    const { push } = start(plantOf('{ length: 2s, hop: 200ms, grace: 4s }'));
    const days = 300 * 86_400;
    push(...both(0, 2));
    // Ten windows still hold data; the eleventh is the first empty one; the first after the gap hold the new data only in part.
    const windows = push(...both(days, days + 2));
    expect(shape(windows).slice(0, 11)).toEqual(ramp(10).map((i) => [expect.closeTo(0.2 * (i + 1), 6), 0]).concat([[expect.closeTo(days - 1.8, 4), 0]]));
    expect(windows[9]!.vector.missingRatio).toBe(1);
    expect(windows).toHaveLength(20);
  });

  it('does not wait for ever for a signal that stays behind when there is no watermark', () => {
    const { push } = start(plantOf(TUMBLING));
    push(...both(0, 2));
    const windows = ramp(100).flatMap((i) => push({ startUs: T + (2 + i) * S, values: { level: ramp(10) } }));
    expect(windows[0]!.vector.silentSignals).toEqual(['temperature']);
    expect(windows.length).toBeGreaterThan(40);
  });
});

describe('late data', () => {
  it('amends windows within the grace, with the next revision', () => {
    const { push } = start(plantOf(TUMBLING));
    push(...both(0, 2), { startUs: T + 2 * S, values: { level: ramp(10) } }, { startUs: T + 3.5 * S, values: { level: ramp(5) } });
    const [incomplete] = push({ startUs: T + 2 * S, intervalUs: S / 2, values: { temperature: [1, 2, 3, 4] } });
    expect([incomplete!.revision, incomplete!.value('level.missing_ratio')]).toEqual([0, 0.25]);
    const [amended] = push({ startUs: T + 3 * S, values: { level: ramp(5) } });
    expect([amended!.startUs, amended!.revision, amended!.value('level.missing_ratio'), amended!.value('level.peak')]).toEqual([T + 2 * S, 1, 0, 9]);
  });

  it('hands a block to the late topic when all of its windows are final', () => {
    const { push, emissions, run } = start(plantOf(TUMBLING));
    push(...both(0, 10));
    const late = emissions({ startUs: T + 3 * S, values: { level: ramp(10) } });
    expect(late.map(({ topic }) => topic)).toEqual([lateTopic(TOPICS.telemetry.name)]);
    expect(run.ledger()[0]).toMatchObject({ in: 3, processed: 2, late: 1, deadLettered: 0 });
  });

  it('uses what it can of a block that is late in part, and keeps the block in the late topic', () => {
    const plant = plantOf(TUMBLING);
    const { push, emissions, run } = start(plant);
    push(...both(0, 10));
    const out = emissions({ startUs: T + 4.05 * S, values: { level: Array<number>(30).fill(500) } });
    expect(out.map(({ topic }) => topic).sort()).toEqual([TOPICS.features.name, lateTopic(TOPICS.telemetry.name)]);
    const [amended] = windowsOf(out, plant);
    expect([shape([amended!]), amended!.value('level.peak')]).toEqual([[[6, 1]], 500]);
    expect(run.ledger()[0]).toMatchObject({ in: 3, processed: 3, late: 0 });
  });

  it('moves the first empty window on when late data fills the one that was', () => {
    const { push, watermark } = start(plantOf(TUMBLING));
    push(...both(0, 2));
    expect(shape(watermark(6))).toEqual([[2, 0]]);
    const windows = push({ startUs: T + 2 * S, values: { level: ramp(20) } });
    expect(shape(windows)).toEqual([[2, 1], [4, 0]]);
    expect(windows.map(({ vector }) => vector.missingRatio)).toEqual([expect.closeTo(4 / 24, 12), 1]);
  });

  it('publishes a window that data from before it proves whole', () => {
    const { push } = start(plantOf(TUMBLING));
    expect(push(...both(3, 5))).toEqual([]);
    expect(shape(push({ startUs: T + S, values: { level: ramp(10) } }))).toEqual([[2, 0]]);
  });

  it('takes a sample at the time of another in its place', () => {
    const { push } = start(plantOf(TUMBLING));
    push(...both(0, 2));
    const [amended] = push({ startUs: T + S, values: { level: [1000] } });
    expect([amended!.revision, amended!.value('level.peak'), amended!.value('level.missing_ratio')]).toEqual([1, 1000, 0]);
  });
});

describe('irregular samples', () => {
  it('are placed by their offsets', () => {
    const { push } = start(plantOf(TUMBLING));
    const offsetsUs = [0, 130_000, 900_000, 1_999_999, 2_000_000, 2_100_000];
    const [window] = push({ startUs: T, offsetsUs, values: { level: [0, 0.13, 0.9, 1.999999, 50, 50] }, float64: true }, both(0, 2)[1]!);
    expect(window!.value('level.peak')).toBe(1.999999);
    expect(window!.value('level.slope')).toBeCloseTo(1, 9);
    expect(window!.value('level.missing_ratio')).toBeCloseTo(0.8, 12);
  });
});

describe('z-score', () => {
  it('refers to windows that were final, so that an amendment does not spread', () => {
    const { push } = start(plantOf(TUMBLING));
    const windows = ramp(100).flatMap((i) => push({ startUs: T + 2 * i * S, values: { level: Array<number>(20).fill(i % 2) } }, { startUs: T + 2 * i * S, intervalUs: S / 2, values: { temperature: [1, 1, 1, 1] } }));
    // Two windows make the grace: the tenth is the first with eight final ones before it.
    expect(windows.slice(0, 9).map((window) => window.value('level.z'))).toEqual(Array(9).fill(NaN));
    expect(windows[9]!.value('level.z')).toBeCloseTo(1, 12);
    expect(windows[10]!.value('level.z')).toBeLessThan(0);
    expect(windows[9]!.value('temperature.z')).toBeNaN();
  });
});

describe('records that can never be used', () => {
  const reason = (spec: BlockSpec, key?: string) => {
    const run = new PureRun(createFeaturesProcessor(plantOf(TUMBLING)));
    const [letter] = run.push([{ ...block(spec), ...(key === undefined ? {} : { key }) }]);
    expect(letter!.topic).toBe(deadLetterTopic(TOPICS.telemetry.name));
    return DeadLetter.decode(letter!.value).error;
  };

  it('go to the dead letters with one sentence that names the field', () => {
    expect(reason({ asset: 'T-9', startUs: T, values: { level: [1] } })).toMatch(/^asset: "T-9" is not in the plant file of test; /);
    expect(reason({ startUs: T, values: { level: [1] } }, 'T-2')).toMatch(/^asset: the block is of "T-1" but its record has the key "T-2"/);
    expect(reason({ startUs: T, values: { leval: [1] } })).toMatch(/^signals: T-1 \(tank\) has no signal "leval"; .*level/);
    expect(reason({ startUs: T, values: { level: [1, 2], temperature: [1] } })).toMatch(/^values: "temperature" of T-1 has 4 bytes for 2 samples/);
    expect(reason({ startUs: T, intervalUs: 0, values: { level: [1, 2] } })).toMatch(/^interval_us: 0 /);
    expect(reason({ startUs: T, offsetsUs: [5, 4], values: { level: [1, 2] } })).toMatch(/^offsets_us: 4 after 5/);
    expect(reason({ startUs: T, values: {} })).toMatch(/^count: /);
  });

  it('do not disturb the others', () => {
    const plant = plantOf(TUMBLING);
    const good = both(0, 2).map(block);
    const run = new PureRun(createFeaturesProcessor(plant));
    const out = run.push([good[0]!, { ...good[1]!, value: Uint8Array.of(255, 1, 2) }, block({ startUs: T, values: { leval: [1] } }), good[1]!]);
    expect(windowsOf(out, plant)).toHaveLength(1);
    expect(run.ledger()[0]).toMatchObject({ in: 4, processed: 2, deadLettered: 2 });
  });
});
