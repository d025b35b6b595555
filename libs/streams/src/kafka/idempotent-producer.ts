import { setTimeout as pause } from 'node:timers/promises';
import type { Broker, Cluster, Kafka } from 'kafkajs';
import type { PartitionBatch } from './batching.js';
import { openCluster, PATIENT } from './driver.js';
import { isUnknownTopic, mayPass } from './errors.js';
import type { Exchange } from './exchange.js';
import { produceV7 } from './produce-exchange.js';
import type { Identity, Produced } from './produce-request.js';
import { byLeader, Sequences, type Numbered } from './sequences.js';

/** What kafkajs has and leaves out of its types. */
type ProducingBroker = Broker & {
  initProducerId(request: { transactionalId: undefined; transactionTimeout: number }): Promise<Identity>;
  readonly connectionPool: { send(exchange: Exchange<Produced>): Promise<Produced> };
};
type ProducingCluster = Cluster & { findControllerBroker(): Promise<Broker>; removeBroker(address: { host: string; port: number }): void };

/** What kafkajs says of a connection that ended. */
interface ConnectionClosed extends Error {
  readonly host?: string;
  readonly port?: number;
}

/** The broker asks for one, also where there is no transaction. */
const TRANSACTION_TIMEOUT_MS = 60_000;

/**
 * Writes outside of transactions, each record once: what is sent again, because its acknowledgement did not come, has the same numbers
 * as the first time, by which the broker knows it. The producer of kafkajs sorts the records of each request by partition once more,
 * which was 6 % of what ingestion took of a processor.
 */
export class IdempotentProducer {
  readonly #cluster: ProducingCluster;
  readonly #identity: Identity;
  readonly #sequences = new Sequences();

  private constructor(cluster: ProducingCluster, identity: Identity) {
    this.#cluster = cluster;
    this.#identity = identity;
  }

  static async open(kafka: Kafka): Promise<IdempotentProducer> {
    const cluster = openCluster(kafka) as ProducingCluster;
    try {
      return await patiently(cluster, async () => {
        // Any broker gives numbers to producers.
        const broker = (await cluster.findControllerBroker()) as ProducingBroker;
        const { producerId, producerEpoch } = await broker.initProducerId({ transactionalId: undefined, transactionTimeout: TRANSACTION_TIMEOUT_MS });
        return new IdempotentProducer(cluster, { producerId: `${producerId}`, producerEpoch });
      });
    } catch (error) {
      await cluster.disconnect();
      throw error;
    }
  }

  /**
   * Resolves when all replicas in sync have the records. One call at a time: the order in a partition is that of the calls.
   * @throws what the broker says, or the connection, when half a minute did not help: this producer is of no use any more then
   */
  async send(batches: readonly PartitionBatch[]): Promise<void> {
    const numbered = this.#sequences.number(batches);
    await patiently(this.#cluster, () => this.#produce(numbered));
  }

  close(): Promise<void> {
    return this.#cluster.disconnect();
  }

  async #produce(numbered: readonly Numbered[]): Promise<void> {
    await this.#cluster.addMultipleTargetTopics([...new Set(numbered.map(({ topic }) => topic))]);
    const answers = await Promise.allSettled(
      byLeader(this.#cluster, numbered).map(async ({ nodeId, topicData }) => {
        const leader = (await this.#cluster.findBroker({ nodeId })) as ProducingBroker;
        return leader.connectionPool.send(produceV7({ transactionalId: undefined, identity: this.#identity, topicData }));
      }),
    );
    const failed = answers.find((answer) => answer.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}

/** Tries again what may pass: brokers restart, and leaders move. */
async function patiently<T>(cluster: ProducingCluster, attempt: () => Promise<T>): Promise<T> {
  for (let tries = 0, delay = PATIENT.initialRetryTime; ; tries++, delay = Math.min(2 * delay, PATIENT.maxRetryTime)) {
    try {
      if (!cluster.isConnected()) await cluster.connect();
      if (tries > 0) await cluster.refreshMetadata();
      return await attempt();
    } catch (error) {
      // A topic that has just been made is not known everywhere at once.
      if (tries >= PATIENT.retries || !(mayPass(error) || isUnknownTopic(error))) throw error;
      const { host, port } = error as ConnectionClosed;
      if (host !== undefined && port !== undefined) cluster.removeBroker({ host, port });
    }
    await pause(delay);
  }
}
