import { setTimeout as pause } from 'node:timers/promises';
import type { Broker, Cluster, Kafka, Message, TopicMessages } from 'kafkajs';
import type { Offsets } from '../log.js';
import { openCluster, PATIENT } from './driver.js';
import { hasType, mayPass } from './errors.js';

/** Offsets of a group to commit with a transaction. */
export interface TopicOffsets {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number; readonly offset: string; readonly metadata: string }[];
}

/** Who writes, as the broker knows it. */
interface Identity {
  readonly producerId: string;
  readonly producerEpoch: number;
}

/** Requests that kafkajs has and leaves out of its types. */
type TransactionalBroker = Broker & {
  initProducerId(request: { transactionalId: string; transactionTimeout: number }): Promise<Identity>;
  addPartitionsToTxn(request: Identity & { transactionalId: string; topics: { topic: string; partitions: number[] }[] }): Promise<unknown>;
  addOffsetsToTxn(request: Identity & { transactionalId: string; groupId: string }): Promise<unknown>;
  txnOffsetCommit(request: Identity & { transactionalId: string; groupId: string; topics: readonly TopicOffsets[] }): Promise<unknown>;
  endTxn(request: Identity & { transactionalId: string; transactionResult: boolean }): Promise<unknown>;
  produce(request: Identity & { transactionalId: string; acks: number; timeout: number; compression: number; topicData: TopicData[] }): Promise<Produced>;
};

interface TopicData {
  readonly topic: string;
  readonly partitions: { readonly partition: number; readonly firstSequence: number; readonly messages: readonly Message[] }[];
}

interface Produced {
  readonly topics: readonly { readonly topicName: string; readonly partitions: readonly { readonly partition: number; readonly baseOffset: string }[] }[];
}

const TRANSACTION = 1;
const GROUP = 0;
const PRODUCE_TIMEOUT_MS = 30_000;
/**
 * The broker answers the end of a transaction before it has written the markers, and refuses the next one until then, which is a
 * millisecond or two. Asked again so often, at first, and less often when it takes longer.
 */
const SOON_MS = 1;
const SOON_TRIES = 16;
const LATER_MS = 200;
/** What is waited for before asking the first time, at most. */
const MAX_BUSY_MS = 20;
const CONCURRENT_TRIES = 80;

/**
 * Transactions of one transactional id, by the low-level client of kafkajs. Its own transactional producer asks one thing after the
 * other: five round trips a transaction, and waits of 5 ms and more for the broker to end the one before. Here what does not depend
 * on each other goes out together: the partitions with the group, then the records with the offsets, then the end. Several producers
 * on one broker with two cores: 460 transactions a second instead of 370; one alone: 166 instead of 74.
 *
 * Nothing is tried again but the beginning: after any other error what has become of the transaction is for the owner to find out,
 * with a new producer.
 */
export class TransactionalProducer {
  readonly #cluster: Cluster;
  readonly #id: string;
  readonly #group: string;
  readonly #identity: Identity;
  /** When the last transaction was ended, and how long the broker is then busy with it, as far as is known. */
  #endedAtMs = -Infinity;
  #busyMs = 0;
  /** Number of the next record, by topic and partition: by it the broker tells repetitions. */
  readonly #sequences = new Map<string, number>();
  readonly #ends: Record<string, number> = {};

  private constructor(cluster: Cluster, id: string, group: string, identity: Identity) {
    this.#cluster = cluster;
    this.#id = id;
    this.#group = group;
    this.#identity = identity;
  }

  /** Takes the transactional id over: the broker fences whoever had it, and aborts what that one left open. */
  static async open(kafka: Kafka, id: string, group: string, transactionTimeout: number): Promise<TransactionalProducer> {
    const cluster = openCluster(kafka);
    try {
      for (let tries = 0, delay = PATIENT.initialRetryTime; ; tries++, delay = Math.min(2 * delay, PATIENT.maxRetryTime)) {
        try {
          await cluster.connect();
          const coordinator = await coordinatorOf(cluster, id, TRANSACTION);
          return new TransactionalProducer(cluster, id, group, await coordinator.initProducerId({ transactionalId: id, transactionTimeout }));
        } catch (error) {
          if (tries >= PATIENT.retries || !mayPass(error)) throw error;
          await pause(delay);
        }
      }
    } catch (error) {
      await cluster.disconnect();
      throw error;
    }
  }

  /** Offset after the last record that it has written, by topic; it writes to one partition of each. */
  get ends(): Offsets {
    return this.#ends;
  }

  close(): Promise<void> {
    return this.#cluster.disconnect();
  }

  /**
   * Sends records and offsets in a transaction and leaves it open.
   * @param requests the records, each request small enough for the broker; messages carry their partition
   * @param offsets of the group; an empty list takes its offsets into the transaction without changing any, undefined leaves them out
   */
  async send(requests: Iterable<readonly TopicMessages[]>, offsets: readonly TopicOffsets[] | undefined): Promise<void> {
    const batches = [...requests].map((topicMessages) => byTopicAndPartition(topicMessages));
    const partitions = new Map<string, Set<number>>();
    for (const batch of batches) {
      for (const { topic, partition } of batch) partitions.set(topic, (partitions.get(topic) ?? new Set()).add(partition));
    }
    await this.#cluster.addMultipleTargetTopics([...partitions.keys()]);
    await this.#begin(partitions, offsets !== undefined);
    await all([this.#produce(batches), ...(offsets === undefined || offsets.length === 0 ? [] : [this.#sendOffsets(offsets)])]);
  }

  async end(commit: boolean): Promise<void> {
    await (await this.#coordinator()).endTxn({ ...this.#identity, transactionalId: this.#id, transactionResult: commit });
    this.#endedAtMs = performance.now();
  }

  /** Resolves when the last transaction has been ended everywhere: only then does the broker take another, here an empty one. */
  async ended(): Promise<void> {
    await this.send([], []);
    await this.end(false);
  }

  /** Tells the coordinator what the transaction is about to touch. */
  async #begin(partitions: ReadonlyMap<string, ReadonlySet<number>>, withOffsets: boolean): Promise<void> {
    const transactionalId = this.#id;
    const topics = [...partitions].map(([topic, numbers]) => ({ topic, partitions: [...numbers] }));
    const restMs = this.#endedAtMs + this.#busyMs - performance.now();
    if (restMs > 0) await pause(restMs);
    for (let tries = 1, delay = SOON_MS; ; tries++) {
      try {
        const coordinator = await this.#coordinator();
        const askedMs = performance.now() - this.#endedAtMs;
        await all([
          ...(topics.length > 0 ? [coordinator.addPartitionsToTxn({ ...this.#identity, transactionalId, topics })] : []),
          ...(withOffsets ? [coordinator.addOffsetsToTxn({ ...this.#identity, transactionalId, groupId: this.#group })] : []),
        ]);
        // Towards what it took, and slowly down again where it was taken at once: the first time it is too early tells.
        this.#busyMs = tries > 1 ? Math.min(MAX_BUSY_MS, (this.#busyMs + askedMs) / 2) : this.#busyMs * 0.98;
        return;
      } catch (error) {
        if (tries >= CONCURRENT_TRIES || !hasType(error, 'CONCURRENT_TRANSACTIONS')) throw error;
      }
      await pause(delay);
      if (tries >= SOON_TRIES) delay = Math.min(2 * delay, LATER_MS);
    }
  }

  /** Batch after batch, each to the leaders of its partitions at once. */
  async #produce(batches: readonly (readonly PartitionMessages[])[]): Promise<void> {
    for (const batch of batches) {
      const byLeader = new Map<string, PartitionMessages[]>();
      for (const each of batch) {
        const leader = this.#cluster.findTopicPartitionMetadata(each.topic).find(({ partitionId }) => partitionId === each.partition)?.leader;
        if (leader === undefined) throw new Error(`Topic ${each.topic} has no partition ${each.partition}.`);
        const key = `${leader}`;
        const sent = byLeader.get(key);
        if (sent === undefined) byLeader.set(key, [each]);
        else sent.push(each);
      }
      await all([...byLeader].map(([nodeId, sent]) => this.#produceTo(nodeId, sent)));
    }
  }

  async #produceTo(nodeId: string, sent: readonly PartitionMessages[]): Promise<void> {
    const leader = (await this.#cluster.findBroker({ nodeId })) as TransactionalBroker;
    const byTopic = new Map<string, TopicData>();
    for (const { topic, partition, messages } of sent) {
      const key = `${partition}/${topic}`;
      const firstSequence = this.#sequences.get(key) ?? 0;
      // Sequence numbers are of 32 bits and begin anew after the greatest.
      this.#sequences.set(key, (firstSequence + messages.length) % 2 ** 31);
      let data = byTopic.get(topic);
      if (data === undefined) byTopic.set(topic, (data = { topic, partitions: [] }));
      data.partitions.push({ partition, firstSequence, messages });
    }
    const { topics } = await leader.produce({ ...this.#identity, transactionalId: this.#id, acks: -1, timeout: PRODUCE_TIMEOUT_MS, compression: 0, topicData: [...byTopic.values()] });
    for (const { topicName, partitions } of topics) {
      for (const { partition, baseOffset } of partitions) {
        const written = sent.find((each) => each.topic === topicName && each.partition === partition)!;
        this.#ends[topicName] = Number(baseOffset) + written.messages.length;
      }
    }
  }

  async #sendOffsets(topics: readonly TopicOffsets[]): Promise<void> {
    const coordinator = await coordinatorOf(this.#cluster, this.#group, GROUP);
    await coordinator.txnOffsetCommit({ ...this.#identity, transactionalId: this.#id, groupId: this.#group, topics });
  }

  #coordinator(): Promise<TransactionalBroker> {
    return coordinatorOf(this.#cluster, this.#id, TRANSACTION);
  }
}

async function coordinatorOf(cluster: Cluster, groupId: string, coordinatorType: number): Promise<TransactionalBroker> {
  // kafkajs types this request without the kind of the coordinator, which it takes.
  return (await cluster.findGroupCoordinator({ groupId, coordinatorType } as { groupId: string })) as TransactionalBroker;
}

interface PartitionMessages {
  readonly topic: string;
  readonly partition: number;
  readonly messages: Message[];
}

function byTopicAndPartition(topicMessages: readonly TopicMessages[]): PartitionMessages[] {
  const found = new Map<string, PartitionMessages>();
  for (const { topic, messages } of topicMessages) {
    for (const message of messages) {
      const partition = message.partition ?? 0;
      const key = `${partition}/${topic}`;
      const same = found.get(key);
      if (same === undefined) found.set(key, { topic, partition, messages: [message] });
      else same.messages.push(message);
    }
  }
  return [...found.values()];
}

/** Waits for all of them, and only then fails with the first error: nothing of a transaction that failed is still under way. */
async function all(requests: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(requests)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
