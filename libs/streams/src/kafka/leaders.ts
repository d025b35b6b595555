import type { Cluster } from 'kafkajs';
import type { LeaderData } from './produce-request.js';
import type { Numbered } from './sequences.js';

/**
 * Sorts records by the brokers that lead their partitions, as far as the cluster's metadata tell.
 * @throws Error when a topic lacks a partition
 */
export function byLeader(cluster: Cluster, batches: readonly Numbered[]): LeaderData[] {
  const leaderOf = ({ topic, partition }: Numbered): string => {
    const leader = cluster.findTopicPartitionMetadata(topic).find(({ partitionId }) => partitionId === partition)?.leader;
    if (leader === undefined) throw new Error(`Topic ${topic} has no partition ${partition}.`);
    return `${leader}`;
  };
  return [...Map.groupBy(batches, leaderOf)].map(([nodeId, led]) => ({
    nodeId,
    topicData: [...Map.groupBy(led, ({ topic }) => topic)].map(([topic, partitions]) => ({ topic, partitions })),
  }));
}
