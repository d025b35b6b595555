import { allOnceSettled } from './all-once-settled.js';
import { produceV7 } from './produce-exchange.js';
import type { Identity, LeaderData, Produced } from './produce-request.js';
import type { TransactionBrokers } from './transaction-brokers.js';
import type { Content, TopicOffsets, TransactionProtocol } from './transaction-protocol.js';

/**
 * Transactions of Kafka before 4.0, in three trips: the client tells the coordinator what a transaction is about to touch, partitions and
 * group at once, then sends records and offsets at once, then the end.
 */
export class TransactionV1 implements TransactionProtocol {
  readonly #brokers: TransactionBrokers;

  constructor(brokers: TransactionBrokers) {
    this.#brokers = brokers;
  }

  async begin({ identity, requests, offsets }: Content): Promise<void> {
    const { transactionalId, groupId } = this.#brokers;
    const topics = partitionsOf(requests.flat());
    const coordinator = await this.#brokers.ofTransaction();
    await allOnceSettled([
      ...(topics.length > 0 ? [coordinator.addPartitionsToTxn({ ...identity, transactionalId, topics })] : []),
      ...(offsets === undefined ? [] : [coordinator.addOffsetsToTxn({ ...identity, transactionalId, groupId })]),
    ]);
  }

  async send({ identity, requests, offsets = [] }: Content): Promise<Produced[]> {
    const produced = this.#produce(identity, requests);
    await allOnceSettled<unknown>([produced, this.#sendOffsets(identity, offsets)]);
    return produced;
  }

  async end(identity: Identity, commit: boolean): Promise<Identity> {
    const coordinator = await this.#brokers.ofTransaction();
    await coordinator.endTxn({ ...identity, transactionalId: this.#brokers.transactionalId, transactionResult: commit });
    return identity;
  }

  async #produce(identity: Identity, requests: Content['requests']): Promise<Produced[]> {
    const produced: Produced[] = [];
    for (const request of requests) produced.push(...(await allOnceSettled(request.map((data) => this.#produceTo(identity, data)))));
    return produced;
  }

  async #produceTo(identity: Identity, { nodeId, topicData }: LeaderData): Promise<Produced> {
    const leader = await this.#brokers.node(nodeId);
    return leader.connectionPool.send(produceV7({ transactionalId: this.#brokers.transactionalId, identity, topicData }));
  }

  async #sendOffsets(identity: Identity, topics: readonly TopicOffsets[]): Promise<void> {
    if (topics.length === 0) return;
    const coordinator = await this.#brokers.ofGroup();
    await coordinator.txnOffsetCommit({ ...identity, transactionalId: this.#brokers.transactionalId, groupId: this.#brokers.groupId, topics });
  }
}

function partitionsOf(data: readonly LeaderData[]): { topic: string; partitions: number[] }[] {
  const found = new Map<string, Set<number>>();
  for (const { topic, partitions } of data.flatMap(({ topicData }) => topicData)) {
    const numbers = found.get(topic) ?? new Set();
    found.set(topic, numbers);
    for (const { partition } of partitions) numbers.add(partition);
  }
  return [...found].map(([topic, numbers]) => ({ topic, partitions: [...numbers] }));
}
