import type { TransactionBrokers } from './transaction-brokers.js';
import type { Identity, Produced } from './produce-request.js';
import type { Content, TransactionProtocol } from './transaction-protocol.js';
import { endTxn, produceV12, txnOffsetCommit } from './transaction-requests.js';

/**
 * Transactions of Kafka 4.0 and later (KIP-890), of three requests: offsets and records take their partitions into the transaction
 * themselves. Each end has a new epoch of the producer begin, so that nothing late of one transaction gets into the next.
 *
 * Offsets go first, since these are refused at once while the broker ends the last transaction; records would be kept waiting in the broker,
 * 20 ms at a time.
 */
export class TransactionV2 implements TransactionProtocol {
  readonly #brokers: TransactionBrokers;

  constructor(brokers: TransactionBrokers) {
    this.#brokers = brokers;
  }

  async begin({ identity, offsets }: Content): Promise<void> {
    const { transactionalId, groupId } = this.#brokers;
    if (offsets === undefined) return;
    if (offsets.length > 0) {
      const coordinator = await this.#brokers.ofGroup();
      await coordinator.connectionPool.send(txnOffsetCommit(transactionalId, groupId, identity, offsets));
    } else {
      // There is no newer request that takes a group in without offsets; those of both protocols go together.
      const coordinator = await this.#brokers.ofTransaction();
      await coordinator.addOffsetsToTxn({ ...identity, transactionalId, groupId });
    }
  }

  /** Each leader after the other: the coordinator takes one addition at a time, and a leader that comes too early waits for 20 ms. */
  async send({ identity, requests }: Content): Promise<Produced[]> {
    const produced: Produced[] = [];
    for (const { nodeId, topicData } of requests.flat()) {
      const leader = await this.#brokers.node(nodeId);
      produced.push(await leader.connectionPool.send(produceV12({ transactionalId: this.#brokers.transactionalId, identity, topicData })));
    }
    return produced;
  }

  async end(identity: Identity, commit: boolean): Promise<Identity> {
    const coordinator = await this.#brokers.ofTransaction();
    return coordinator.connectionPool.send(endTxn(this.#brokers.transactionalId, identity, commit));
  }
}
