import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster, Kafka } from 'kafkajs';
import type { Offsets } from '../log.js';
import type { PartitionBatch } from './batching.js';
import { openCluster } from './driver.js';
import { hasType } from './errors.js';
import { byLeader } from './leaders.js';
import { patiently } from './patience.js';
import type { Identity, Produced, TopicData } from './produce-request.js';
import { Sequences } from './sequences.js';
import { TransactionBrokers } from './transaction-brokers.js';
import type { Content, TopicOffsets, TransactionProtocol } from './transaction-protocol.js';
import { finalizedFeatures } from './transaction-requests.js';
import { TransactionV1 } from './transaction-v1.js';
import { TransactionV2 } from './transaction-v2.js';

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

/** The cluster's name of the protocol of transactions, and the level from which on a transaction takes its partitions in itself. */
const FEATURE = 'transaction.version';
const V2 = 2;

/**
 * Transactions of one transactional id, by the low-level client of kafkajs. Its own transactional producer asks one thing after the
 * other: five round trips a transaction, and waits of 5 ms and more for the broker to end the one before. Here a transaction takes three,
 * in that of the two protocols which the cluster has agreed on.
 *
 * Nothing is tried again but the beginning: after any other error what has become of the transaction is for the owner to find out,
 * with a new producer.
 */
export class TransactionalProducer {
  readonly #cluster: Cluster;
  readonly #protocol: TransactionProtocol;
  #identity: Identity;
  /** When the last transaction was ended, and how long the broker is then busy with it, as far as is known. */
  #endedAtMs = -Infinity;
  #busyMs = 0;
  readonly #sequences = new Sequences();
  readonly #ends: Record<string, number> = {};

  private constructor(cluster: Cluster, protocol: TransactionProtocol, identity: Identity) {
    this.#cluster = cluster;
    this.#protocol = protocol;
    this.#identity = identity;
  }

  /** Takes the transactional id over: the broker fences whoever had it, and aborts what that one left open. */
  static async open(kafka: Kafka, id: string, group: string, transactionTimeout: number): Promise<TransactionalProducer> {
    const cluster = openCluster(kafka);
    const brokers = new TransactionBrokers(cluster, id, group);
    try {
      return await patiently(async () => {
        await cluster.connect();
        const coordinator = await brokers.ofTransaction();
        const { producerId, producerEpoch } = await coordinator.initProducerId({ transactionalId: id, transactionTimeout });
        const features = await coordinator.connectionPool.send(finalizedFeatures());
        const protocol = (features.get(FEATURE) ?? 0) >= V2 ? new TransactionV2(brokers) : new TransactionV1(brokers);
        return new TransactionalProducer(cluster, protocol, { producerId: `${producerId}`, producerEpoch });
      });
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
   * @param requests the records, each request small enough for the broker
   * @param offsets of the group; an empty list takes its offsets into the transaction without changing any, undefined leaves them out
   */
  async send(requests: Iterable<readonly PartitionBatch[]>, offsets: readonly TopicOffsets[] | undefined): Promise<void> {
    const all = [...requests];
    await this.#cluster.addMultipleTargetTopics([...new Set(all.flat().map(({ topic }) => topic))]);
    const content = { identity: this.#identity, requests: all.map((batches) => byLeader(this.#cluster, this.#sequences.number(batches))), offsets };
    await this.#begin(content);
    const produced = await this.#protocol.send(content);
    content.requests.flat().forEach(({ topicData }, i) => this.#note(topicData, produced[i]!));
  }

  async end(commit: boolean): Promise<void> {
    const { producerId, producerEpoch } = this.#identity;
    this.#identity = await this.#protocol.end(this.#identity, commit);
    this.#endedAtMs = performance.now();
    // The broker counts the records of each epoch from 0.
    if (this.#identity.producerId !== producerId || this.#identity.producerEpoch !== producerEpoch) this.#sequences.clear();
  }

  /** Resolves when the last transaction has been ended everywhere: only then does the broker take another, here an empty one. */
  async ended(): Promise<void> {
    await this.send([], []);
    await this.end(false);
  }

  #note(sent: readonly TopicData[], { topics }: Produced): void {
    for (const { topicName, partitions } of topics) {
      for (const { partition, baseOffset } of partitions) {
        const { batch } = sent.find(({ topic }) => topic === topicName)!.partitions.find((each) => each.partition === partition)!;
        this.#ends[topicName] = Number(baseOffset) + batch.count;
      }
    }
  }

  /** Begins a transaction as soon as the broker has ended the last one. */
  async #begin(content: Content): Promise<void> {
    const restMs = this.#endedAtMs + this.#busyMs - performance.now();
    if (restMs > 0) await pause(restMs);
    for (let tries = 1, delay = SOON_MS; ; tries++) {
      try {
        const askedMs = performance.now() - this.#endedAtMs;
        await this.#protocol.begin(content);
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
}
