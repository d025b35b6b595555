import type { Cluster } from 'kafkajs';
import type { PartitionBatch } from './batching.js';
import type { LeaderData, NumberedBatch } from './produce-request.js';

/** Records for a partition of a topic, numbered. */
export type Numbered = NumberedBatch & { readonly topic: string };

/** Numbers the records of a producer, each partition for itself: by that the broker tells repetitions. */
export class Sequences {
  /** Number of the next record, by topic and partition. */
  readonly #next = new Map<string, number>();

  number(batches: readonly PartitionBatch[]): Numbered[] {
    return batches.map(({ topic, partition, batch }) => {
      const key = `${partition}/${topic}`;
      const firstSequence = this.#next.get(key) ?? 0;
      // Sequence numbers are of 32 bits and begin anew after the greatest.
      this.#next.set(key, (firstSequence + batch.count) % 2 ** 31);
      return { topic, partition, firstSequence, batch };
    });
  }

  /** Begins anew, as a producer does whose epoch is another. */
  clear(): void {
    this.#next.clear();
  }
}

/**
 * Sorts records by the brokers that lead their partitions, as far as the cluster's metadata tell.
 * @throws Error when a topic lacks a partition
 */
export function byLeader(cluster: Cluster, batches: readonly Numbered[]): LeaderData[] {
  const found = new Map<string, Map<string, NumberedBatch[]>>();
  for (const { topic, ...numbered } of batches) {
    const leader = cluster.findTopicPartitionMetadata(topic).find(({ partitionId }) => partitionId === numbered.partition)?.leader;
    if (leader === undefined) throw new Error(`Topic ${topic} has no partition ${numbered.partition}.`);
    const topics = getOrMake(found, `${leader}`, () => new Map<string, NumberedBatch[]>());
    getOrMake(topics, topic, () => []).push(numbered);
  }
  return [...found].map(([nodeId, topics]) => ({ nodeId, topicData: [...topics].map(([topic, partitions]) => ({ topic, partitions })) }));
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
