import { describe, expect, it } from '@jest/globals';
import { growth } from './memory.js';

const samples = (mib: (i: number) => number): Map<string, number>[] => Array.from({ length: 40 }, (_, i) => new Map([['features 1', mib(i)]]));

describe('growth of memory', () => {
  it('is found where a process ends with more than it had, and not where it starts anew, or has only just started', () => {
    expect(growth(samples((i) => 100 + 10 * i))).toEqual(['features 1 grew from 250 to 450 MiB; 96 MiB are allowed for']);
    expect(growth(samples((i) => 100 + 10 * (i % 8)))).toEqual([]);
    expect(growth(samples((i) => Math.min(400, 100 + 100 * i)))).toEqual([]);
  });
});
