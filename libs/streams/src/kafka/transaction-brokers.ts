import type { Broker, Cluster } from 'kafkajs';
import type { Exchange } from './exchange.js';
import type { Identity } from './produce-request.js';
import type { TopicOffsets } from './transaction-protocol.js';

/** Requests that kafkajs has and leaves out of its types, and the way to others. */
export type TransactionalBroker = Broker & {
  initProducerId(request: { transactionalId: string; transactionTimeout: number }): Promise<Identity>;
  addPartitionsToTxn(request: Identity & { transactionalId: string; topics: { topic: string; partitions: number[] }[] }): Promise<unknown>;
  addOffsetsToTxn(request: Identity & { transactionalId: string; groupId: string }): Promise<unknown>;
  txnOffsetCommit(request: Identity & { transactionalId: string; groupId: string; topics: readonly TopicOffsets[] }): Promise<unknown>;
  endTxn(request: Identity & { transactionalId: string; transactionResult: boolean }): Promise<unknown>;
  readonly connectionPool: { send<Answer>(exchange: Exchange<Answer>): Promise<Answer> };
};

const TRANSACTION = 1;
const GROUP = 0;

/** The brokers that have to do with the transactions of one transactional id and group. */
export class TransactionBrokers {
  readonly #cluster: Cluster;
  readonly transactionalId: string;
  readonly groupId: string;

  constructor(cluster: Cluster, transactionalId: string, groupId: string) {
    this.#cluster = cluster;
    this.transactionalId = transactionalId;
    this.groupId = groupId;
  }

  ofTransaction(): Promise<TransactionalBroker> {
    return this.#coordinator(this.transactionalId, TRANSACTION);
  }

  ofGroup(): Promise<TransactionalBroker> {
    return this.#coordinator(this.groupId, GROUP);
  }

  async node(nodeId: string): Promise<TransactionalBroker> {
    return (await this.#cluster.findBroker({ nodeId })) as TransactionalBroker;
  }

  async #coordinator(groupId: string, coordinatorType: number): Promise<TransactionalBroker> {
    // kafkajs types this request without the kind of the coordinator, which it takes.
    return (await this.#cluster.findGroupCoordinator({ groupId, coordinatorType } as { groupId: string })) as TransactionalBroker;
  }
}
