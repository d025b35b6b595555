import { setTimeout as pause } from 'node:timers/promises';
import type { Consumer, Kafka } from 'kafkajs';
import type { GroupHandler, Membership, Offsets } from '../log.js';
import type { RuntimeLogger } from '../runtime.js';
import { copartitioned, type Claim } from './assigner.js';
import { mayPass } from './errors.js';
import type { Inquiry } from './inquiry.js';
import { PartitionLane, type FetchedBatch, type LaneFeed } from './partition-lane.js';
import { PATIENT } from './patience.js';

/** How soon a member that died is noticed: the least that a broker allows by default. */
const SESSION_MS = 6_000;

const CONSUMER = {
  sessionTimeout: SESSION_MS,
  // How soon a member learns that another came or went. The partitions of one that went have no owner until then.
  heartbeatInterval: 200,
  // How long a rebalance waits for members that are known and do not join: nobody gets data meanwhile. Ours join with their next heartbeat or are dead.
  rebalanceTimeout: SESSION_MS,
  minBytes: 1,
  maxBytesPerPartition: 2_097_152,
  maxBytes: 16_777_216,
  // How long a fetch waits for data, and so how long a partition may wait that joins the next fetch.
  maxWaitTimeInMs: 100,
  allowAutoTopicCreation: false,
  // kafkajs restarts itself after some errors and stops for ever after others; here the member does it after all of them.
  retry: { ...PATIENT, restartOnFailure: () => Promise.resolve(false) },
};

const MAX_BACKOFF_MS = 2_000;

/** How long a member that leaves works on until others have its partitions: for as long as the group waits for one that died, at most. */
const HAND_OVER_MS = SESSION_MS;
/**
 * How long it then stays, without any: its leaving makes all others join once more, and stop fetching for that, which should not come while
 * they are taking its partitions over.
 */
const STAY_MS = 1_000;

export interface MemberOptions {
  readonly kafka: Kafka;
  readonly inquiry: Inquiry;
  readonly logger: RuntimeLogger;
  readonly group: string;
  readonly topics: readonly string[];
  readonly handler: GroupHandler;
  /** Called after each delivery. */
  readonly progressed?: () => void;
}

/**
 * A member of a consumer group on a kafkajs consumer. It keeps its lanes through rebalances and consumer crashes as long as the group
 * gives it the same partitions, and it goes on until it is closed, whatever the consumer meets.
 */
export class GroupMember implements Membership {
  readonly #options: MemberOptions;
  readonly #lanes = new Map<number, PartitionLane>();
  /** Lanes that have been lost and are not done with yet. */
  readonly #ending = new Map<number, Promise<void>>();
  readonly #joined = Promise.withResolvers<void>();
  readonly #closing = Promise.withResolvers<void>();
  #confirmations: (() => void)[] = [];
  #consumer: Consumer | undefined;
  #running: Promise<void> | undefined;
  #hasJoined = false;
  #isClosed = false;
  /** While it waits for others to take over what it holds. */
  #handOver: { isSaid: boolean; readonly done: (toOthers: boolean) => void } | undefined;
  /** Whether there are members that stay, as far as this one knows: only the one that shares the partitions sees all. */
  #othersStay = true;
  #memberId: string | undefined;
  #lastPollMs = 0;

  private constructor(options: MemberOptions) {
    this.#options = options;
  }

  /** Resolves when the group has accepted the member. */
  static async join(options: MemberOptions): Promise<GroupMember> {
    const member = new GroupMember(options);
    member.#running = member.#run();
    await member.#joined.promise;
    return member;
  }

  lastPollMs(): number {
    return this.#lastPollMs;
  }

  assignment(): readonly number[] {
    return [...this.#lanes.keys()].sort((a, b) => a - b);
  }

  /** Offset up to which a partition has been delivered, or undefined while it is not being read. */
  delivered(topic: string, partition: number): number | undefined {
    return this.#lanes.get(partition)?.delivered(topic);
  }

  /**
   * Hands over what it holds, then leaves. One that simply left would be missed only with the others' next heartbeats, and nobody would
   * work on its partitions until then.
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    const toOthers = await this.#handedOver();
    const lanes = [...this.#lanes.values()];
    this.#lanes.clear();
    for (const lane of lanes) lane.lose();
    await Promise.all([...lanes.map((lane) => lane.ended), ...this.#ending.values()]);
    if (toOthers) await pause(STAY_MS);
    this.#closing.resolve();
    await this.#running;
  }

  /** Resolves to whether the group has given what is held to others; it does not where nobody stays or can be asked, or it takes too long. */
  async #handedOver(): Promise<boolean> {
    if (this.#consumer === undefined || this.#lanes.size === 0) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#handOver = { isSaid: false, done: resolve };
    const timer = setTimeout(() => {
      this.#options.logger.warn({ group: this.#options.group }, `${this.#options.group} leaves its group, which has not given its partitions to others within ${HAND_OVER_MS / 1000} s`);
      resolve(false);
    }, HAND_OVER_MS);
    const toOthers = await promise;
    clearTimeout(timer);
    this.#handOver = undefined;
    return toOthers;
  }

  #claim(): Claim {
    this.#othersStay = true;
    if (this.#handOver !== undefined) this.#handOver.isSaid = true;
    return { held: this.assignment(), isLeaving: this.#isClosed };
  }

  #shared(members: readonly Claim[]): void {
    this.#othersStay = members.some(({ isLeaving }) => !isLeaving);
  }

  /** Runs one consumer after the other until the member is closed. */
  async #run(): Promise<void> {
    for (let failures = 0; !this.#isClosed; ) {
      try {
        const crash = await this.#consume(() => (failures = 0));
        if (!crash) return;
        throw crash;
      } catch (error) {
        if (!this.#hasJoined && !mayPass(error)) {
          this.#joined.reject(error);
          return;
        }
        const delay = Math.min(100 * 2 ** failures++, MAX_BACKOFF_MS);
        this.#options.logger.warn({ group: this.#options.group, err: error }, `Kafka consumer failed; it joins its group again in ${delay} ms`);
        await this.#sleep(delay);
      }
    }
  }

  /** Runs a consumer until it crashes or the member is closed; resolves to why it crashed. */
  async #consume(joined: () => void): Promise<Error | undefined> {
    const { kafka, inquiry, group, topics, logger } = this.#options;
    const consumer = kafka.consumer({ ...CONSUMER, groupId: group, partitionAssigners: [copartitioned(() => this.#claim(), (members) => this.#shared(members))] });
    const crashed = Promise.withResolvers<Error>();
    consumer.on(consumer.events.CRASH, ({ payload }) => crashed.resolve(payload.error));
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      joined();
      // Not before: until it has joined for the first time, a consumer refuses to be told where to read.
      this.#consumer = consumer;
      this.#memberId = payload.memberId;
      this.#assign(payload.memberAssignment);
      logger.info({ group, partitions: this.assignment(), tookMs: payload.duration }, `${group} has joined its group`);
    });
    consumer.on(consumer.events.HEARTBEAT, () => {
      this.#confirm();
      if (this.#handOver?.isSaid === false) throw new LeavingError();
    });
    consumer.on(consumer.events.START_BATCH_PROCESS, ({ payload }) => {
      // Batches with records come to eachBatch; of the others this is the only sign.
      if (payload.batchSize > 0) return;
      const { topic, partition, firstOffset, lastOffset, highWatermark } = payload;
      this.#lanes.get(partition)?.skip(topic, Number(firstOffset ?? lastOffset), Number(lastOffset) + 1, Number(highWatermark));
    });
    try {
      await consumer.connect();
      // The group would wait for what the last consumer was until its session has run out, and nobody would get data meanwhile.
      if (this.#memberId !== undefined) await inquiry.leave(group, this.#memberId);
      this.#memberId = undefined;
      await consumer.subscribe({ topics: [...topics], fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatch: ({ batch, isStale }) => {
          this.#lastPollMs = Date.now();
          if (!isStale()) this.#lanes.get(batch.partition)?.accept(batch as FetchedBatch);
          return Promise.resolve();
        },
      });
      return await Promise.race([crashed.promise, this.#closing.promise.then(() => undefined)]);
    } finally {
      this.#consumer = undefined;
      this.#handOver?.done(false);
      await consumer.disconnect();
    }
  }

  /** Compares what the group gives with what is held. Synchronous, since kafkajs fetches as soon as it returns. */
  #assign(assignment: Readonly<Record<string, number[]>>): void {
    const topicsOf = new Map<number, string[]>();
    for (const topic of this.#options.topics) {
      for (const partition of assignment[topic] ?? []) topicsOf.set(partition, [...(topicsOf.get(partition) ?? []), topic]);
    }
    for (const lane of [...this.#lanes.values()]) {
      if (!topicsOf.has(lane.partition)) this.#lose(lane);
    }
    for (const [partition, topics] of topicsOf) {
      let lane = this.#lanes.get(partition);
      if (lane === undefined) {
        if (this.#isClosed) continue;
        lane = new PartitionLane(partition, topics, this.#options.handler, this.#feed, this.#ending.get(partition));
        this.#lanes.set(partition, lane);
      }
      lane.align();
    }
    if (this.#handOver?.isSaid) this.#handOver.done(this.#othersStay);
    this.#hasJoined = true;
    this.#joined.resolve();
    this.#confirm();
  }

  #lose(lane: PartitionLane): void {
    this.#lanes.delete(lane.partition);
    lane.lose();
    const ended = lane.ended.then(() => {
      if (this.#ending.get(lane.partition) === ended) this.#ending.delete(lane.partition);
    });
    this.#ending.set(lane.partition, ended);
  }

  #confirm(): void {
    this.#lastPollMs = Date.now();
    const confirmations = this.#confirmations;
    this.#confirmations = [];
    for (const confirm of confirmations) confirm();
  }

  async #sleep(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([new Promise<void>((resolve) => (timer = setTimeout(resolve, ms))), this.#closing.promise]);
    clearTimeout(timer);
  }

  readonly #feed: LaneFeed = {
    startOffsets: (partition, topics, said) => this.#startOffsets(partition, topics, said),
    // Without a consumer there is nothing to tell: the next one asks all lanes when it has joined.
    seek: (topic, partition, offset) => this.#consumer?.seek({ topic, partition, offset: `${offset}` }),
    pause: (topic, partition) => this.#consumer?.pause([{ topic, partitions: [partition] }]),
    resume: (topic, partition) => this.#consumer?.resume([{ topic, partitions: [partition] }]),
    confirmed: () => new Promise((resolve) => this.#confirmations.push(resolve)),
    progressed: () => this.#options.progressed?.(),
    // Read when it is used: a field initialiser runs before the constructor has set the options.
    logger: {
      info: (fields, message) => this.#options.logger.info({ group: this.#options.group, ...fields }, message),
      warn: (fields, message) => this.#options.logger.warn({ group: this.#options.group, ...fields }, message),
      error: (fields, message) => this.#options.logger.error({ group: this.#options.group, ...fields }, message),
    },
  };

  async #startOffsets(partition: number, topics: readonly string[], said: Offsets): Promise<Offsets> {
    const { inquiry, group } = this.#options;
    const open = topics.filter((topic) => said[topic] === undefined);
    const [committed, ...first] = await Promise.all([inquiry.committed(group, partition, open), ...topics.map((topic) => inquiry.firstOffsets(topic))]);
    return Object.fromEntries(topics.map((topic, i) => [topic, Math.max(said[topic] ?? committed[topic]?.offset ?? 0, first[i]?.[partition] ?? 0)]));
  }
}

/** Raised where kafkajs hears from its group: it then joins anew, for which it has no call. */
class LeavingError extends Error {
  override readonly name = 'LeavingError';
  readonly type = 'REBALANCE_IN_PROGRESS';
}
