import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { binOf, driftOf, hasDrifted, kolmogorov, profileOf, stabilityIndex } from './drift.js';

interface Reference {
  readonly kolmogorov: readonly (readonly [number, number])[];
  readonly cases: readonly {
    readonly name: string; readonly bins: number; readonly train: number[]; readonly live: number[]; readonly edges: number[]; readonly expected: number[]; readonly actual: number[];
    readonly psi: number; readonly ks: number; readonly p: number;
  }[];
}
const reference = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'reference', 'drift.json'), 'utf8')) as Reference;

function counted(edges: readonly number[], values: readonly number[]): number[] {
  const counts = new Array<number>(edges.length + 2).fill(0);
  for (const value of values) counts[binOf(edges, value)]!++;
  return counts;
}

describe('drift', () => {
  it.each(reference.cases)('is what scipy says: $name', ({ bins, train, live, edges, expected, actual, psi, ks, p }) => {
    const profile = profileOf(train, { bins });
    expect(profile.edges).toHaveLength(edges.length);
    profile.edges.forEach((edge, i) => expect(edge).toBeCloseTo(edges[i]!, 12));
    expect(profile.counts).toEqual(expected);
    const counts = counted(profile.edges, live);
    expect(counts).toEqual([...actual, 0]);
    const drift = driftOf(profile, counts);
    expect(drift.psi).toBeCloseTo(psi, 10);
    expect(drift.ks).toBeCloseTo(ks, 12);
    expect(drift.pValue).toBeCloseTo(p, 10);
  });

  it('has the distribution of Kolmogorov', () => {
    for (const [x, p] of reference.kolmogorov) expect(kolmogorov(x)).toBeCloseTo(p, 12);
  });

  it('is there when a distribution has moved far, and not by chance', () => {
    const drifted = Object.fromEntries(reference.cases.map(({ name, bins, train, live }) => {
      const profile = profileOf(train, { bins });
      return [name, hasDrifted(profile, driftOf(profile, counted(profile.edges, live)))];
    }));
    expect(drifted).toEqual({ same: false, shifted: true, wider: true, 'far away': true, ties: true });
    // Five rows that all lie at one end are many for the index, and few for the test.
    const profile = profileOf(reference.cases[0]!.train);
    const few = driftOf(profile, counted(profile.edges, [1.5, 1.1, 1.2]));
    expect(few.psi).toBeGreaterThan(0.25);
    expect(hasDrifted(profile, few)).toBe(false);
  });

  it('sees gaps', () => {
    const profile = profileOf([1, 2, 3, 4, NaN, NaN], { bins: 2 });
    expect(profile).toEqual({ edges: [1 - 2 ** -40, 2.5, 4], counts: [0, 2, 2, 0], missing: 2, limit: 0.25 });
    expect(driftOf(profile, [0, 50, 50, 0, 50]).psi).toBeLessThan(0.25);
    expect(driftOf(profile, [0, 1, 1, 0, 100]).psi).toBeGreaterThan(0.25);
    expect(stabilityIndex([2, 2, 2], [2, 2, 2])).toBe(0);
  });

  it('has a limit above what machines in one state show, and yet sees what training never saw', () => {
    // Thirty machines, each at a level of its own.
    const levels = Array.from({ length: 30 }, (_, machine) => machine / 10);
    const values = (level: number, count: number): number[] => Array.from({ length: count }, (_, k) => level + 0.1 * Math.sin(k));
    const rows = levels.flatMap((level, machine) => values(level, 40).map((value) => ({ machine, value })));
    const profile = profileOf(rows.map(({ value }) => value), { blocks: rows.map(({ machine }) => machine) });
    const drifts = (level: number): boolean => hasDrifted(profile, driftOf(profile, counted(profile.edges, values(level, 300))));
    expect(levels.some(drifts)).toBe(false);
    expect(drifts(5)).toBe(true);
    expect(drifts(-5)).toBe(true);
  });

  it('takes no bins narrower than what matters, and a quantity of one value or none', () => {
    const { edges } = profileOf([0.9901, 0.9902, 0.9903, 0.5, 0.2], { resolution: 0.1 });
    expect(edges.slice(1, -1).every((edge, i) => edge - edges[i]! > 0.1)).toBe(true);
    expect(profileOf([3, 3, 3]).counts).toEqual([0, 3, 0]);
    expect(profileOf([NaN])).toEqual({ edges: [], counts: [0], missing: 1, limit: 0.25 });
    expect(driftOf(profileOf([NaN]), [0, 5])).toMatchObject({ ks: 0, pValue: 1 });
  });
});
