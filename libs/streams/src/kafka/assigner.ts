import kafkajs, { type Assigner, type Cluster, type PartitionAssigner } from 'kafkajs';

const { MemberMetadata, MemberAssignment } = kafkajs.AssignerProtocol;

/** A member and the partition numbers that it holds already. */
export interface Candidate {
  readonly id: string;
  readonly held: readonly number[];
}

/**
 * Shares partition numbers 0 to count-1 among members: evenly (shares differ by one at most), and moving as few as that allows,
 * since who gets a partition anew has to load its state. Every member computes the same from the same input.
 */
export function share(count: number, members: readonly Candidate[]): Map<string, number[]> {
  const byId = [...members].sort((a, b) => (a.id < b.id ? -1 : 1));
  const owner = new Map<number, string>();
  const kept = new Map<string, number[]>(byId.map(({ id }) => [id, []]));
  for (const { id, held } of byId) {
    for (const partition of [...held].sort((a, b) => a - b)) {
      if (partition < 0 || partition >= count || owner.has(partition)) continue;
      owner.set(partition, id);
      kept.get(id)!.push(partition);
    }
  }
  // The larger shares go to those who hold most, so that they keep them.
  const larger = count % byId.length;
  const bySize = [...byId].sort((a, b) => kept.get(b.id)!.length - kept.get(a.id)!.length);
  const free = Array.from({ length: count }, (_, partition) => partition).filter((partition) => !owner.has(partition));
  for (const [rank, { id }] of bySize.entries()) {
    const size = Math.floor(count / byId.length) + (rank < larger ? 1 : 0);
    free.push(...kept.get(id)!.splice(size));
  }
  free.sort((a, b) => a - b);
  for (const [rank, { id }] of bySize.entries()) {
    const size = Math.floor(count / byId.length) + (rank < larger ? 1 : 0);
    const mine = kept.get(id)!;
    mine.push(...free.splice(0, size - mine.length));
    mine.sort((a, b) => a - b);
  }
  return kept;
}

/** Gives partition p of all topics to the same member. `held` tells the partition numbers that this member has when it joins. */
export function copartitioned(held: () => readonly number[]): PartitionAssigner {
  return ({ cluster }): Assigner => ({
    name: 'millwright-copartitioned',
    version: VERSION,
    protocol: ({ topics }) => ({
      name: 'millwright-copartitioned',
      metadata: MemberMetadata.encode({ version: VERSION, topics, userData: Buffer.from(JSON.stringify(held())) }),
    }),
    assign: async ({ members, topics }) => {
      const candidates = members.map(({ memberId, memberMetadata }) => ({ id: memberId, held: heldBy(memberMetadata) }));
      const counts = topics.map((topic) => [topic, partitionsOf(cluster, topic)] as const);
      const shares = share(Math.max(...counts.map(([, count]) => count)), candidates);
      return members.map(({ memberId }) => ({
        memberId,
        memberAssignment: MemberAssignment.encode({
          version: VERSION,
          assignment: Object.fromEntries(counts.map(([topic, count]) => [topic, shares.get(memberId)!.filter((partition) => partition < count)])),
          userData: Buffer.alloc(0),
        }),
      }));
    },
  });
}

const VERSION = 1;

const partitionsOf = (cluster: Cluster, topic: string): number => cluster.findTopicPartitionMetadata(topic).length;

function heldBy(memberMetadata: Buffer): number[] {
  const userData = MemberMetadata.decode(memberMetadata)?.userData;
  return userData?.length ? (JSON.parse(userData.toString()) as number[]) : [];
}
