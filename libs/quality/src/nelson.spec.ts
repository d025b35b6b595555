import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { addNelsonPoint, NELSON_MEMORY } from './nelson.js';

/** Indices of the points at which the rule is broken. */
function signals(rule: number, points: readonly number[]): number[] {
  const memory: number[] = [];
  return points.flatMap((z, i) => (addNelsonPoint(memory, z, [rule]).length > 0 ? [i] : []));
}

const repeat = (count: number, ...values: number[]): number[] => Array.from({ length: count }, () => values).flat();

describe('Nelson rules', () => {
  it.each([
    [1, 'a point above zone A', [0, 3.01, 0], [1]],
    [1, 'a point below zone A', [0, -3.01, 0], [1]],
    [1, 'a point on the limit is not beyond it', [3, -3], []],
    [2, 'the ninth point on one side, and the tenth', [-1, ...repeat(10, 0.1)], [9, 10]],
    [2, 'nine below', repeat(9, -0.1), [8]],
    [2, 'eight on one side', [...repeat(8, 0.1), -0.1, ...repeat(8, 0.1)], []],
    [2, 'a point on the centre line breaks the run', [...repeat(5, 0.1), 0, ...repeat(5, 0.1)], []],
    [3, 'six points rising', [0, -1, -0.8, -0.4, 0, 0.1, 0.2, 0.1], [6]],
    [3, 'six points falling', [0.5, 0.4, 0.3, 0.2, 0.1, 0], [5]],
    [3, 'five points rising', [0, -1, -0.8, -0.4, 0, 0.1, 0], []],
    [3, 'two equal points break the trend', [0, 0.1, 0.2, 0.2, 0.3, 0.4, 0.5], []],
    [4, 'fourteen points up and down by turns', repeat(7, 0.1, -0.1), [13]],
    [4, 'thirteen points up and down by turns', [...repeat(6, 0.1, -0.1), 0.1, 0.2], []],
    [4, 'a tie breaks the turns', [...repeat(6, 0.1, -0.1), -0.1, 0.1, -0.1], []],
    [5, 'two of three above two sigma', [2.1, 0, 2.1], [2]],
    [5, 'the signal comes with the second point beyond, and not again after it', [2.1, 2.1, 0], [1]],
    [5, 'two of three below', [-2.1, -2.1, 0], [1]],
    [5, 'one on either side', [2.1, 0, -2.1], []],
    [5, 'two of four', [2.1, 0, 0, 2.1], []],
    [5, 'points on the line', [2, 2, 2], []],
    [6, 'four of five above one sigma', [1.1, 1.1, 0, 1.1, 1.1], [4]],
    [6, 'four in a row', repeat(4, -1.1), [3]],
    [6, 'three of five', [1.1, 0, 1.1, 0, 1.1], []],
    [6, 'four of five, but one on the other side', [1.1, -1.1, 1.1, -1.1, 1.1], []],
    [7, 'fifteen points in zone C', [1.5, ...repeat(15, 0.2)], [15]],
    [7, 'fifteen in zone C on both sides', [...repeat(7, 0.9, -0.9), 0.5], [14]],
    [7, 'fourteen points in zone C', [1.5, ...repeat(14, 0.2), 1], []],
    [8, 'eight points outside zone C on both sides', [...repeat(4, 1.1, -1.1)], [7]],
    [8, 'eight points outside zone C on one side only', repeat(8, 1.1), []],
    [8, 'seven points, then one in zone C', [...repeat(3, 1.1, -1.1), 1.1, 0.5, 1.1, -1.1], []],
  ])('rule %d: %s', (rule, _, points, expected) => {
    expect(signals(rule, points)).toEqual(expected);
  });

  it('reports only the rules in force', () => {
    expect(addNelsonPoint([], 5, [2, 3])).toEqual([]);
    expect(addNelsonPoint([2.5], 3.5, [1, 5])).toEqual([1, 5]);
  });

  it('with a memory of fifteen points says what the whole history says', () => {
    const point = fc.oneof(fc.constantFrom(0, 1, -1, 2, -2, 3, -3), fc.double({ min: -4, max: 4, noNaN: true }), fc.constantFrom(0.5, -0.5, 1.5, -1.5, 2.5, -2.5));
    fc.assert(
      fc.property(fc.array(point, { maxLength: 60 }), (points) => {
        const memory: number[] = [];
        points.forEach((z, i) => {
          const streaming = addNelsonPoint(memory, z, [1, 2, 3, 4, 5, 6, 7, 8]);
          expect(memory.length).toBeLessThanOrEqual(NELSON_MEMORY);
          expect(streaming).toEqual(brokenAt(points, i));
        });
      }),
      { numRuns: 500 },
    );
  });
});

/** The rules as sentences over the whole history, written independently of the streaming form. */
function brokenAt(points: readonly number[], i: number): number[] {
  const back = (count: number): number[] | undefined => (i + 1 >= count ? points.slice(i + 1 - count, i + 1) : undefined);
  const beyond = (limit: number, count: number, needed: number): boolean =>
    [1, -1].some((side) => points[i]! * side > limit && points.slice(Math.max(0, i + 1 - count), i + 1).filter((z) => z * side > limit).length >= needed);
  const differences = (z: readonly number[]): number[] => z.slice(1).map((v, j) => Math.sign(v - z[j]!));
  const trend = back(6);
  const turns = back(14);
  const eight = back(8);
  const holds = [
    points[i]! > 3 || points[i]! < -3,
    Math.abs(back(9)?.reduce((sum, z) => sum + Math.sign(z), 0) ?? 0) === 9,
    trend !== undefined && Math.abs(differences(trend).reduce((sum, sign) => sum + sign, 0)) === 5,
    turns !== undefined && differences(turns).every((sign, j, all) => sign !== 0 && (j === 0 || sign === -all[j - 1]!)),
    beyond(2, 3, 2),
    beyond(1, 5, 4),
    back(15)?.every((z) => z > -1 && z < 1) ?? false,
    eight !== undefined && eight.every((z) => z > 1 || z < -1) && Math.min(...eight) < 0 && Math.max(...eight) > 0,
  ];
  return holds.flatMap((broken, rule) => (broken ? [rule + 1] : []));
}
