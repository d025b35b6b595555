import type { Broker, Cluster, ITopicConfig, Kafka, KafkaMessage, PartitionOffset } from 'kafkajs';
import type { TopicSpec } from '../log.js';
import type { LogRecord } from '../record.js';
import { openCluster } from './driver.js';
import { hasType, isUnknownTopic } from './errors.js';
import { ask, patiently } from './patience.js';
import { RecordReader } from './record-reader.js';

/** A committed offset and the note that its writer left with it. */
export interface CommittedOffset {
  readonly offset: number;
  readonly note: string;
}

const HEALTH_TIMEOUT_MS = 2_000;
/** Longer than a broker needs to end a transaction, or to abort one that was left open. */
const OPEN_TRANSACTION_MS = 60_000;
const FETCH_WAIT_MS = 100;
const FETCH_BYTES = 1_048_576;
/** Records that are looked at first for the last of a source, and how many times as many each time after. */
const LAST_STRETCH = 500;
const STRETCH_FACTOR = 8;
/** In the place of a replica's id. */
const CONSUMER = -1;
const READ_COMMITTED = 1;

/** Asks the cluster about topics, offsets and its health. */
export class Inquiry {
  readonly #kafka: Kafka;
  readonly #cluster: Cluster;
  readonly #partitions = new Map<string, number>();

  constructor(kafka: Kafka) {
    this.#kafka = kafka;
    this.#cluster = openCluster(kafka);
  }

  createTopics(specs: readonly TopicSpec[]): Promise<void> {
    return patiently(async () => {
      // One by one: kafkajs can't list topics while one of them, just made by someone else, has no leader yet.
      const missing: ITopicConfig[] = [];
      for (const spec of specs) if (!(await this.exists(spec.name))) missing.push(toConfig(spec));
      if (missing.length === 0) return;
      const admin = this.#kafka.admin();
      try {
        await admin.connect();
        await admin.createTopics({ topics: missing });
      } finally {
        await admin.disconnect();
      }
      // Made, but the broker that was asked for their leaders has not heard of them yet.
    }, isUnknownTopic);
  }

  /** Number of partitions if it is known without asking. */
  knownPartitions(topic: string): number | undefined {
    return this.#partitions.get(topic);
  }

  async partitions(topic: string): Promise<number> {
    if (await this.exists(topic)) return this.#partitions.get(topic)!;
    throw new Error(`Topic ${topic} does not exist on this Kafka: create it first, or check its name.`);
  }

  async exists(topic: string): Promise<boolean> {
    if (this.#partitions.has(topic)) return true;
    try {
      const count = await this.#ask(async (cluster) => {
        await cluster.addTargetTopic(topic);
        return cluster.findTopicPartitionMetadata(topic).length;
      });
      if (count > 0) this.#partitions.set(topic, count);
      return count > 0;
    } catch (error) {
      if (isUnknownTopic(error)) return false;
      throw error;
    }
  }

  /** Offset of the first record that is still kept, or of the next where none is, by partition. */
  firstOffsets(topic: string): Promise<number[]> {
    return this.#offsets(topic, true);
  }

  /** Offset after the last record, committed or not, by partition. */
  endOffsets(topic: string): Promise<number[]> {
    return this.#offsets(topic, false);
  }

  /** What a group has committed for one partition number; topics without a commit are left out. */
  async committed(group: string, partition: number, topics: readonly string[]): Promise<Record<string, CommittedOffset>> {
    if (topics.length === 0) return {};
    const { responses } = await this.#ask(async (cluster) => {
      const coordinator = await cluster.findGroupCoordinator({ groupId: group });
      // kafkajs types this request as if it carried the offsets that it asks for, and leaves the notes out of the answer.
      const wanted = topics.map((topic) => ({ topic, partitions: [{ partition } as PartitionOffset] }));
      return coordinator.offsetFetch({ groupId: group, topics: wanted }) as Promise<unknown> as Promise<OffsetFetchResponse>;
    });
    const committed: Record<string, CommittedOffset> = {};
    for (const { topic, partitions } of responses) {
      for (const { offset, metadata } of partitions) {
        if (Number(offset) >= 0) committed[topic] = { offset: Number(offset), note: metadata ?? '' };
      }
    }
    return committed;
  }

  /**
   * Reads the committed records of a partition from an offset, or the first that is kept after it, up to another. Waits for
   * transactions that are open on the way.
   */
  async read(topic: string, partition: number, from: number, until: number, take: (records: readonly LogRecord[]) => void): Promise<void> {
    const reader = new RecordReader(topic, partition);
    const first = (await this.firstOffsets(topic))[partition] ?? 0;
    const deadline = performance.now() + OPEN_TRANSACTION_MS;
    for (let next = Math.max(from, first); next < until; ) {
      const { messages, lastStableOffset } = await this.#fetch(topic, partition, next);
      // Compaction may leave nothing of the last records.
      if (messages.length === 0 && Number(lastStableOffset) >= until) return;
      take(messages.filter(({ isControlRecord, offset }) => !isControlRecord && Number(offset) >= next).map((message) => reader.read(message)));
      next = Math.max(next, Number(messages.at(-1)?.offset ?? -1) + 1);
      if (messages.length === 0 && performance.now() > deadline) throw new Error(`${topic}/${partition}@${next}: a transaction there does not end`);
    }
  }

  /** Sequence of the last record of a source, or undefined where it has none: looked for from the end on, in ever longer stretches. */
  async lastSequence(topic: string, partition: number, source: string): Promise<number | undefined> {
    const first = (await this.firstOffsets(topic))[partition] ?? 0;
    let until = (await this.endOffsets(topic))[partition] ?? 0;
    for (let length = LAST_STRETCH; until > first; length *= STRETCH_FACTOR) {
      const from = Math.max(first, until - length);
      let last: number | undefined;
      await this.read(topic, partition, from, until, (records) => {
        for (const { headers } of records) if (headers.source === source) last = headers.sequence;
      });
      if (last !== undefined) return last;
      until = from;
    }
    return undefined;
  }

  async #fetch(topic: string, partition: number, fetchOffset: number): Promise<FetchedPartition> {
    const { responses } = await this.#ask(async (cluster) => {
      await cluster.addTargetTopic(topic);
      const leader = cluster.findTopicPartitionMetadata(topic).find(({ partitionId }) => partitionId === partition)?.leader;
      const broker = (await cluster.findBroker({ nodeId: `${leader}` })) as FetchingBroker;
      const wanted = { topic, partitions: [{ partition, fetchOffset: `${fetchOffset}`, maxBytes: FETCH_BYTES }] };
      return broker.fetch({ replicaId: CONSUMER, isolationLevel: READ_COMMITTED, maxWaitTime: FETCH_WAIT_MS, minBytes: 1, maxBytes: FETCH_BYTES, topics: [wanted] });
    });
    return responses[0]!.partitions[0]!;
  }

  /** Takes a member out of a group, where it is still in it. */
  async leave(group: string, memberId: string): Promise<void> {
    try {
      await this.#ask(async (cluster) => {
        const coordinator = (await cluster.findGroupCoordinator({ groupId: group })) as Coordinator;
        await coordinator.leaveGroup({ groupId: group, memberId });
      });
    } catch (error) {
      if (!hasType(error, 'UNKNOWN_MEMBER_ID')) throw error;
    }
  }

  async healthy(): Promise<boolean> {
    const timeout = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => timeout.resolve(false), HEALTH_TIMEOUT_MS);
    try {
      // Each topic that was asked for is in the answer; the controller is the part that a broken cluster lacks.
      const answer = this.#cluster
        .connect()
        .then(() => this.#cluster.refreshMetadata())
        .then(() => true)
        // Unhealthy is the answer, not an error.
        .catch(() => false);
      return await Promise.race([answer, timeout.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  close(): Promise<void> {
    return this.#cluster.disconnect();
  }

  async #offsets(topic: string, fromBeginning: boolean): Promise<number[]> {
    const partitions = Array.from({ length: await this.partitions(topic) }, (_, partition) => ({ partition }));
    const [answer] = await this.#ask(async (cluster) => {
      await cluster.addTargetTopic(topic);
      return cluster.fetchTopicsOffset([{ topic, partitions, fromBeginning }]);
    });
    const found = new Map(answer?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
    return partitions.map(({ partition }) => found.get(partition) ?? 0);
  }

  #ask<T>(question: (cluster: Cluster) => Promise<T>): Promise<T> {
    return ask(this.#cluster, () => question(this.#cluster));
  }
}

/** kafkajs has this request and leaves it out of its types. */
type Coordinator = Broker & { leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown> };

interface FetchedPartition {
  readonly lastStableOffset: string;
  readonly messages: readonly (KafkaMessage & { readonly isControlRecord: boolean })[];
}

type FetchingBroker = Broker & {
  fetch(request: object): Promise<{ readonly responses: readonly { readonly partitions: readonly FetchedPartition[] }[] }>;
};

interface OffsetFetchResponse {
  readonly responses: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly offset: string; readonly metadata: string | null }[];
  }[];
}

/** Settings of a topic that are not the broker's own, by Kafka's names. */
export const topicConfig = (spec: TopicSpec): Readonly<Record<string, string>> =>
  spec.compacted ? { 'cleanup.policy': 'compact' } : { 'retention.ms': `${spec.retentionMs}` };

function toConfig(spec: TopicSpec): ITopicConfig {
  return {
    topic: spec.name,
    numPartitions: spec.partitions,
    ...(spec.replicationFactor === undefined ? {} : { replicationFactor: spec.replicationFactor }),
    configEntries: Object.entries(topicConfig(spec)).map(([name, value]) => ({ name, value })),
  };
}
