import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { share, type Candidate } from './assigner.js';

const members = fc
  .uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 8 })
  .chain((ids) => fc.tuple(...ids.map((id) => fc.record({ id: fc.constant(id), held: fc.uniqueArray(fc.nat(25), { maxLength: 20 }) }))));

const shares = (count: number, candidates: readonly Candidate[]): number[][] => [...share(count, candidates).values()];

describe('sharing partitions among the members of a group', () => {
  it('gives each partition to one member, evenly', () => {
    fc.assert(
      fc.property(fc.nat(20), members, (count, candidates) => {
        const all = shares(count, candidates);
        expect(all.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, partition) => partition));
        const sizes = all.map(({ length }) => length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('does not depend on the order in which members are named', () => {
    fc.assert(
      fc.property(fc.nat(20), members, (count, candidates) => {
        const sorted = (of: Map<string, number[]>): [string, number[]][] => [...of].sort(([a], [b]) => (a < b ? -1 : 1));
        expect(sorted(share(count, [...candidates].reverse()))).toEqual(sorted(share(count, candidates)));
      }),
    );
  });

  it('moves nothing when nobody came or left', () => {
    fc.assert(
      fc.property(fc.nat(20), members, (count, candidates) => {
        const before = share(count, candidates);
        expect(share(count, [...before].map(([id, held]) => ({ id, held })))).toEqual(before);
      }),
    );
  });

  it('takes from the others only what a new member is due', () => {
    fc.assert(
      fc.property(fc.nat(20), members, (count, candidates) => {
        const before = [...share(count, candidates)].map(([id, held]) => ({ id, held }));
        const after = share(count, [...before, { id: 'the new member', held: [] }]);
        for (const { id, held } of before) expect(held).toEqual(expect.arrayContaining(after.get(id)!));
      }),
    );
  });
});
