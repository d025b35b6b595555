import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import kafkajs, { type Cluster } from 'kafkajs';
import { copartitioned, share, type Candidate, type Claim } from './assigner.js';

const members = fc
  .uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 8 })
  .chain((ids) => fc.tuple(...ids.map((id) => fc.record({ id: fc.constant(id), held: fc.uniqueArray(fc.nat(25), { maxLength: 20 }), isLeaving: fc.constant(false) }))));

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
        expect(share(count, [...before].map(([id, held]) => ({ id, held, isLeaving: false })))).toEqual(before);
      }),
    );
  });

  it('takes from the others only what a new member is due', () => {
    fc.assert(
      fc.property(fc.nat(20), members, (count, candidates) => {
        const before = [...share(count, candidates)].map(([id, held]) => ({ id, held, isLeaving: false }));
        const after = share(count, [...before, { id: 'the new member', held: [], isLeaving: false }]);
        for (const { id, held } of before) expect(held).toEqual(expect.arrayContaining(after.get(id)!));
      }),
    );
  });

  it('gives nothing to members that leave, and the others the same as if those had left', () => {
    fc.assert(
      fc.property(fc.nat(20), members, fc.nat(255), (count, candidates, mask) => {
        const all = candidates.map((each, i) => ({ ...each, isLeaving: ((mask >> i) & 1) === 1 }));
        const staying = all.filter(({ isLeaving }) => !isLeaving);
        const given = share(count, all);
        for (const { id, isLeaving } of all) if (isLeaving) expect(given.get(id)).toEqual([]);
        for (const [id, partitions] of share(count, staying)) expect(given.get(id)).toEqual(partitions);
      }),
    );
  });
});

describe('what members tell each other as they join', () => {
  const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol;
  const cluster = { findTopicPartitionMetadata: () => [0, 1, 2, 3] } as unknown as Cluster;
  const told: (readonly Candidate[])[] = [];
  const assigner = (claim: Claim) => copartitioned(() => claim, (members) => told.push(members))({ cluster } as Parameters<ReturnType<typeof copartitioned>>[0]);
  const metadata = (claim: Claim): Buffer => assigner(claim).protocol({ topics: ['in'] }).metadata;
  const leaving: Claim = { held: [0, 1], isLeaving: true };

  it('is understood by the one that shares: who leaves has nothing then', async () => {
    const members = [leaving, { held: [2, 3], isLeaving: false }].map((claim, i) => ({ memberId: `m${i}`, memberMetadata: metadata(claim) }));
    const given = await assigner(leaving).assign({ members, topics: ['in'] });
    expect(given.map(({ memberAssignment }) => MemberAssignment.decode(memberAssignment)?.assignment)).toEqual([{ in: [] }, { in: [0, 1, 2, 3] }]);
    expect(told.at(-1)).toEqual([{ id: 'm0', ...leaving }, { id: 'm1', held: [2, 3], isLeaving: false }]);
  });

  it('is a list of partition numbers to one of the release before, which leaves to a member that leaves what it has', () => {
    const held = JSON.parse(`${MemberMetadata.decode(metadata(leaving))?.userData}`) as number[];
    expect(held.filter((each) => each >= 0)).toEqual([0, 1]);
    const shared = share(4, [{ id: 'leaves', held, isLeaving: false }, { id: 'stays', held: [2, 3], isLeaving: false }]);
    expect([...shared]).toEqual([['leaves', [0, 1]], ['stays', [2, 3]]]);
  });

  it('may be what one of the release before tells', async () => {
    const memberMetadata = MemberMetadata.encode({ version: 1, topics: ['in'], userData: Buffer.from('[3,1]') });
    const members = [{ memberId: 'before', memberMetadata }, { memberId: 'now', memberMetadata: metadata({ held: [], isLeaving: false }) }];
    const given = await assigner(leaving).assign({ members, topics: ['in'] });
    expect(given.map(({ memberAssignment }) => MemberAssignment.decode(memberAssignment)?.assignment)).toEqual([{ in: [1, 3] }, { in: [0, 2] }]);
  });
});
