import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { WatermarkTracker } from './watermark-tracker.js';

const SECOND = 1_000_000;

describe('WatermarkTracker', () => {
  it('knows nothing before it has heard of a source', () => {
    expect(new WatermarkTracker({ outOfOrderUs: 0, idleMs: 10_000 }).at(5_000)).toBe(-Infinity);
  });

  it('is the least over the active sources, less the allowance', () => {
    const tracker = new WatermarkTracker({ outOfOrderUs: 2 * SECOND, idleMs: 10_000 });
    tracker.observe('a', 100 * SECOND, 0);
    tracker.observe('b', 90 * SECOND, 0);
    expect(tracker.at(1_000)).toBe(88 * SECOND);
    tracker.observe('b', 120 * SECOND, 1_000);
    expect(tracker.at(1_000)).toBe(98 * SECOND);
  });

  it('takes a source that advances by itself at its word, without allowance and whatever its data says', () => {
    const tracker = new WatermarkTracker({ outOfOrderUs: 2 * SECOND, idleMs: 10_000 });
    tracker.advance('replay', 50 * SECOND, 0);
    tracker.observe('replay', 80 * SECOND, 0);
    expect(tracker.at(0)).toBe(50 * SECOND);
  });

  it('no longer waits for a source that is idle', () => {
    const tracker = new WatermarkTracker({ outOfOrderUs: 0, idleMs: 10_000 });
    tracker.observe('quiet', 10 * SECOND, 0);
    tracker.observe('live', 20 * SECOND, 9_000);
    expect(tracker.at(9_999)).toBe(10 * SECOND);
    expect(tracker.at(10_000)).toBe(20 * SECOND);
  });

  it('goes on with the wall clock when all are idle, from where the furthest was', () => {
    const tracker = new WatermarkTracker({ outOfOrderUs: 0, idleMs: 10_000 });
    tracker.observe('a', 10 * SECOND, 0);
    tracker.observe('b', 50 * SECOND, 0);
    expect(tracker.at(10_000)).toBe(60 * SECOND);
    expect(tracker.at(12_500)).toBe(62.5 * SECOND);
  });

  it('waits for ever where idleness is switched off', () => {
    const tracker = new WatermarkTracker({ outOfOrderUs: 0, idleMs: Infinity });
    tracker.advance('replay', 10 * SECOND, 0);
    expect(tracker.at(1e12)).toBe(10 * SECOND);
  });

  const event = fc.record({
    kind: fc.constantFrom('observe', 'advance', 'look'),
    source: fc.constantFrom('a', 'b', 'c'),
    timeUs: fc.integer({ min: 0, max: 1000 * SECOND }),
    afterMs: fc.integer({ min: 0, max: 15_000 }),
  });

  it('never goes back, and never passes what an active source may still send', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), fc.integer({ min: 0, max: 5 * SECOND }), (events, outOfOrderUs) => {
        const idleMs = 10_000;
        const tracker = new WatermarkTracker({ outOfOrderUs, idleMs });
        // The model: per source the last promise and when it was last heard.
        const model = new Map<string, { floor: number; heardMs: number; advances: boolean }>();
        let nowMs = 0;
        let last = -Infinity;
        for (const { kind, source, timeUs, afterMs } of events) {
          nowMs += afterMs;
          if (kind === 'look') {
            const watermark = tracker.at(nowMs);
            expect(watermark).toBeGreaterThanOrEqual(last);
            for (const [each, { heardMs }] of model) if (nowMs - heardMs >= idleMs) model.delete(each);
            const floors = [...model.values()].map(({ floor }) => floor);
            if (floors.length > 0) expect(watermark).toBeLessThanOrEqual(Math.max(last, Math.min(...floors)));
            last = watermark;
            continue;
          }
          const known = model.get(source) ?? { floor: -Infinity, heardMs: nowMs, advances: false };
          if (kind === 'advance') {
            tracker.advance(source, timeUs, nowMs);
            model.set(source, { floor: Math.max(known.floor, timeUs), heardMs: nowMs, advances: true });
          } else {
            tracker.observe(source, timeUs, nowMs);
            model.set(source, { ...known, floor: known.advances ? known.floor : Math.max(known.floor, timeUs - outOfOrderUs), heardMs: nowMs });
          }
        }
      }),
    );
  });
});
