import kafkajs, { type Assigner, type Cluster, type PartitionAssigner } from 'kafkajs';

const { MemberMetadata, MemberAssignment } = kafkajs.AssignerProtocol;

/** What a member tells the group when it joins. */
export interface Claim {
  /** Partition numbers that it holds already. */
  readonly held: readonly number[];
  /** Whether it is about to leave, and waits for others to take over what it holds. */
  readonly isLeaving: boolean;
}

/** A member and its claim. */
export interface Candidate extends Claim {
  readonly id: string;
}

/**
 * Shares partition numbers 0 to count-1 among members: evenly (shares differ by one at most), and moving as few as that allows,
 * since who gets a partition anew has to load its state. Members that leave get nothing; where all leave, nobody does. Every member
 * computes the same from the same input.
 */
export function share(count: number, members: readonly Candidate[]): Map<string, number[]> {
  const kept = new Map<string, number[]>(members.map(({ id }) => [id, []]));
  const byId = members.filter(({ isLeaving }) => !isLeaving).sort((a, b) => (a.id < b.id ? -1 : 1));
  if (byId.length === 0) return kept;
  const owner = new Map<number, string>();
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

/**
 * Gives partition p of all topics to the same member.
 * @param claim asked each time that this member joins
 * @param shared told who was given partitions, where this member is the one that shares them
 */
export function copartitioned(claim: () => Claim, shared: (members: readonly Candidate[]) => void): PartitionAssigner {
  return ({ cluster }): Assigner => ({
    name: 'millwright-copartitioned',
    version: VERSION,
    protocol: ({ topics }) => ({
      name: 'millwright-copartitioned',
      metadata: MemberMetadata.encode({ version: VERSION, topics, userData: encodeClaim(claim()) }),
    }),
    assign: async ({ members, topics }) => {
      const candidates = members.map(({ memberId, memberMetadata }) => ({ id: memberId, ...claimOf(memberMetadata) }));
      const counts = topics.map((topic) => [topic, partitionsOf(cluster, topic)] as const);
      const shares = share(Math.max(...counts.map(([, count]) => count)), candidates);
      shared(candidates);
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

/** Stands among the partition numbers of a member that leaves: a leader of a release before this one passes over it. */
const LEAVING = -1;

const encodeClaim = ({ held, isLeaving }: Claim): Buffer => Buffer.from(JSON.stringify(isLeaving ? [LEAVING, ...held] : held));

function claimOf(memberMetadata: Buffer): Claim {
  const userData = MemberMetadata.decode(memberMetadata)?.userData;
  const numbers = userData?.length ? (JSON.parse(userData.toString()) as number[]) : [];
  return { held: numbers.filter((each) => each !== LEAVING), isLeaving: numbers.includes(LEAVING) };
}
