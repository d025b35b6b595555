import type { Identity, LeaderData, Produced } from './produce-request.js';

/** Offsets of a group to commit with a transaction. */
export interface TopicOffsets {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number; readonly offset: string; readonly metadata: string }[];
}

/** What a transaction consists of. */
export interface Content {
  readonly identity: Identity;
  /** One after the other. */
  readonly requests: readonly (readonly LeaderData[])[];
  /** An empty list takes the group's offsets in without changing any; undefined leaves them out. */
  readonly offsets: readonly TopicOffsets[] | undefined;
}

/** How a transaction is told to the broker. There are two ways, of which the cluster's features decide. */
export interface TransactionProtocol {
  /**
   * Begins a transaction.
   * @throws CONCURRENT_TRANSACTIONS while the broker is still ending the last one; nothing has happened then
   */
  begin(content: Content): Promise<void>;
  /** Sends what it consists of, as far as begin() has not. Resolves to the answers to its requests, in their order. */
  send(content: Content): Promise<Produced[]>;
  /** Ends it. Resolves to who writes the next one. */
  end(identity: Identity, commit: boolean): Promise<Identity>;
}
