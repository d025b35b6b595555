import type { Broker, Cluster, Kafka } from 'kafkajs';
import type { PartitionBatch } from './batching.js';
import { allOnceSettled } from './all-once-settled.js';
import { openCluster } from './driver.js';
import { isUnknownTopic } from './errors.js';
import type { Exchange } from './exchange.js';
import { byLeader } from './leaders.js';
import { ask } from './patience.js';
import { produceV7 } from './produce-exchange.js';
import type { Identity, Produced } from './produce-request.js';
import { Sequences, type Numbered } from './sequences.js';

/** What kafkajs has and leaves out of its types. */
type ProducingBroker = Broker & {
  initProducerId(request: { transactionalId: undefined; transactionTimeout: number }): Promise<Identity>;
  readonly connectionPool: { send(exchange: Exchange<Produced>): Promise<Produced> };
};
type ProducingCluster = Cluster & { findControllerBroker(): Promise<Broker> };

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
      return await ask(cluster, async () => {
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
    // A topic that has just been made is not known everywhere at once.
    await ask(this.#cluster, () => this.#produce(numbered), isUnknownTopic);
  }

  close(): Promise<void> {
    return this.#cluster.disconnect();
  }

  async #produce(numbered: readonly Numbered[]): Promise<void> {
    await this.#cluster.addMultipleTargetTopics([...new Set(numbered.map(({ topic }) => topic))]);
    await allOnceSettled(
      byLeader(this.#cluster, numbered).map(async ({ nodeId, topicData }) => {
        const leader = (await this.#cluster.findBroker({ nodeId })) as ProducingBroker;
        return leader.connectionPool.send(produceV7({ transactionalId: undefined, identity: this.#identity, topicData }));
      }),
    );
  }
}
