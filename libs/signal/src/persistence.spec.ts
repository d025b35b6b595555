import { describe, expect, it } from '@jest/globals';
import { filterWindow, filterWindows, initialBelief } from './persistence.js';

const CLASSES = 3;
const said = (winner: number): number[] => [0, 1, 2].map((i) => (i === winner ? 0.8 : 0.1));
const winner = (filtered: Float64Array, window: number): number => {
  const own = [...filtered.subarray(window * CLASSES, (window + 1) * CLASSES)];
  return own.indexOf(Math.max(...own));
};

describe('persistence', () => {
  it('ignores a single odd window, follows a change that lasts, and looks at no later window', () => {
    const course = [...Array<number>(10).fill(0), 1, ...Array<number>(10).fill(0), ...Array<number>(15).fill(2)];
    const persistence = { change: 0.01, evidence: 1 };
    const filtered = filterWindows(course.flatMap(said), CLASSES, 0, persistence);
    expect(winner(filtered, 10)).toBe(0);
    expect(winner(filtered, 34)).toBe(2);
    expect(filtered.subarray(0, 22 * CLASSES)).toEqual(filterWindows(course.slice(0, 22).flatMap(said), CLASSES, 0, persistence));
  });

  it('is Bayes: what was expected times what was seen', () => {
    const belief = filterWindow(initialBelief(2, 0), [0.25, 0.75], { change: 0.2, evidence: 1 });
    // 0.8 × 0.25 against 0.2 × 0.75.
    expect(belief[0]).toBeCloseTo(0.2 / 0.35, 12);
    expect(belief[0]! + belief[1]!).toBeCloseTo(1, 12);
  });

  it('says what the window says where each is as likely as any other whatever was before', () => {
    const belief = filterWindow(initialBelief(CLASSES, 0), [0.2, 0.5, 0.3], { change: (CLASSES - 1) / CLASSES, evidence: 1 });
    [0.2, 0.5, 0.3].forEach((each, i) => expect(belief[i]).toBeCloseTo(each, 12));
  });
});
