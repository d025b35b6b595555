import { describe, expect, it } from '@jest/globals';
import { stateCodec } from './state-codec.js';
import { initialState, keep, kept, POINTS_KEPT, trackOf } from './state.js';

const last = (n: number): number[] => Array.from({ length: Math.min(n, POINTS_KEPT) }, (_, i) => n - Math.min(n, POINTS_KEPT) + i + 1);

describe('points of a chart', () => {
  it('are the last hundred, however many there have been, and memory is bounded', () => {
    const points: number[] = [];
    for (let n = 1; n <= 1_000; n++) {
      keep(points, n);
      expect(kept(points)).toEqual(last(n));
      expect(points.length).toBeLessThan(2 * POINTS_KEPT);
    }
  });

  it('are saved as that', () => {
    const state = initialState();
    const track = trackOf(state, 'temperature', 'f');
    for (let n = 1; n <= 150; n++) {
      keep(track.points, { timeUs: n, value: n, squares: 0, rules: [] });
      keep(state.t2.points, { timeUs: n, value: n });
    }
    const restored = stateCodec.decode(stateCodec.encode(state), 1);
    expect(restored.charts.get('temperature')!.points.map(({ timeUs }) => timeUs)).toEqual(last(150));
    expect(restored.t2.points.map(({ timeUs }) => timeUs)).toEqual(last(150));
  });
});
