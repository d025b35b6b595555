import { setTimeout as pause } from 'node:timers/promises';
import type { GroupHandler, Membership, Offsets } from '../log.js';
import type { Reader } from './reader.js';

const MIN_PAUSE_MS = 10;
const MAX_PAUSE_MS = 5_000;

/** Opens a reader of partition `partition` of all the group's topics. */
export type OpenReader = (partition: number, from: Offsets) => Reader;

/** One partition number in the hands of one member, until stopped. */
class Holding {
  readonly #partition: number;
  readonly #handler: GroupHandler;
  readonly #open: OpenReader;
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;
  #reader: Reader | undefined;

  constructor(partition: number, handler: GroupHandler, open: OpenReader) {
    this.#partition = partition;
    this.#handler = handler;
    this.#open = open;
    this.#ended = this.#run();
  }

  /** Lets the running batch end and gives the partition back. */
  stop(): Promise<void> {
    this.#stopping.abort();
    this.#reader?.close();
    return this.#ended;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    for (let pauseMs = MIN_PAUSE_MS; !signal.aborted; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
      try {
        const reader = this.#open(this.#partition, await this.#handler.assigned(this.#partition));
        this.#reader = reader;
        if (signal.aborted) reader.close();
        for (let batch = await reader.next(); batch !== undefined; batch = await reader.next()) {
          if (batch.records.length > 0) await (await this.#handler.batches([batch])).committed;
          pauseMs = MIN_PAUSE_MS;
        }
      } catch {
        // The handler knows what failed and says so; here it only asks for a fresh start.
        this.#reader?.close();
      }
      await this.#handler.revoked(this.#partition).catch(() => undefined);
      if (!signal.aborted) await pause(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

interface Member {
  readonly handler: GroupHandler;
  readonly holdings: Map<number, Holding>;
}

/** A consumer group of this process: its members share the partition numbers. */
export class Group {
  readonly topics: readonly string[];
  readonly #partitions: number;
  readonly #open: OpenReader;
  readonly #members: Member[] = [];
  #rebalancing: Promise<void> = Promise.resolve();

  constructor(topics: readonly string[], partitions: number, open: OpenReader) {
    this.topics = topics;
    this.#partitions = partitions;
    this.#open = open;
  }

  join(handler: GroupHandler): Membership {
    const member: Member = { handler, holdings: new Map() };
    this.#members.push(member);
    void this.#rebalance();
    let closed: Promise<void> | undefined;
    const leave = (): Promise<void> => {
      this.#members.splice(this.#members.indexOf(member), 1);
      return this.#rebalance(member);
    };
    return {
      // The log is in this process: it answers whenever it is asked.
      lastPollMs: () => Date.now(),
      assignment: () => [...member.holdings.keys()],
      close: () => (closed ??= leave()),
    };
  }

  /** Partition p goes to member p modulo their number; what moves is given back before it is given out. */
  #rebalance(leaving?: Member): Promise<void> {
    this.#rebalancing = this.#rebalancing.then(async () => {
      const owner = (partition: number): Member | undefined => this.#members[partition % this.#members.length];
      const stop = async (member: Member, partition: number, holding: Holding): Promise<void> => {
        await holding.stop();
        member.holdings.delete(partition);
      };
      await Promise.all(
        [...this.#members, ...(leaving ? [leaving] : [])].flatMap((member) =>
          [...member.holdings].filter(([partition]) => owner(partition) !== member).map(([partition, holding]) => stop(member, partition, holding)),
        ),
      );
      for (let partition = 0; partition < this.#partitions; partition++) {
        const member = owner(partition);
        if (member && !member.holdings.has(partition)) member.holdings.set(partition, new Holding(partition, member.handler, this.#open));
      }
    });
    return this.#rebalancing;
  }
}
