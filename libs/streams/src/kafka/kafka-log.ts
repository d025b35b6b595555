import type { Kafka } from 'kafkajs';
import type { EventLog, GroupHandler, Membership, Tail, TailOptions, TopicSpec, Transactor } from '../log.js';
import type { NewRecord } from '../record.js';
import { Appender } from './appender.js';
import { openDriver, type KafkaOptions } from './driver.js';
import { GroupMember } from './group-member.js';
import { Inquiry } from './inquiry.js';
import { KafkaTail } from './tail.js';
import { KafkaTransactor } from './transactor.js';

/** The log on Kafka. Connects when it is first used. */
export function openKafkaLog(options: KafkaOptions): EventLog {
  return new KafkaLog(options);
}

interface Closable {
  close(): Promise<void>;
}

class KafkaLog implements EventLog {
  readonly #options: KafkaOptions;
  readonly #kafka: Kafka;
  readonly #inquiry: Inquiry;
  readonly #appender: Appender;
  /** Members, tails and transactors, in the order of their opening. */
  readonly #open = new Set<Closable>();

  constructor(options: KafkaOptions) {
    this.#options = options;
    this.#kafka = openDriver(options);
    this.#inquiry = new Inquiry(this.#kafka);
    this.#appender = new Appender(this.#kafka, this.#inquiry);
  }

  createTopics(topics: readonly TopicSpec[]): Promise<void> {
    return this.#inquiry.createTopics(topics);
  }

  partitions(topic: string): Promise<number> {
    return this.#inquiry.partitions(topic);
  }

  append(records: readonly NewRecord[]): Promise<void> {
    return this.#appender.append(records);
  }

  async join(group: string, topics: readonly string[], handler: GroupHandler): Promise<Membership> {
    const counts = await Promise.all(topics.map(async (topic) => `${await this.partitions(topic)}`));
    if (new Set(counts).size > 1) {
      const said = topics.map((topic, i) => `${topic} has ${counts[i]}`).join(', ');
      throw new Error(`Topics that are read together need the same number of partitions, but ${said}: create them anew with one number.`);
    }
    return this.#keep(await GroupMember.join({ kafka: this.#kafka, inquiry: this.#inquiry, logger: this.#options.logger, group, topics, handler }));
  }

  async transactor(group: string, partition: number, inputs: readonly string[], outputs: readonly string[] = []): Promise<Transactor> {
    return this.#keep(await KafkaTransactor.open((disconnected) => openDriver(this.#options, disconnected), this.#inquiry, { group, partition, inputs, outputs }));
  }

  async tail(options: TailOptions): Promise<Tail> {
    return this.#keep(await KafkaTail.open(this.#kafka, this.#inquiry, this.#options.logger, options));
  }

  firstOffsets(topic: string): Promise<readonly number[]> {
    return this.#inquiry.firstOffsets(topic);
  }

  endOffsets(topic: string): Promise<readonly number[]> {
    return this.#inquiry.endOffsets(topic);
  }

  lastSequence(topic: string, partition: number, source: string): Promise<number | undefined> {
    return this.#inquiry.lastSequence(topic, partition, source);
  }

  healthy(): Promise<boolean> {
    return this.#inquiry.healthy();
  }

  async close(): Promise<void> {
    // Members first, newest first: they may still use their transactors.
    for (const each of [...this.#open].reverse()) await each.close();
    await this.#appender.close();
    await this.#inquiry.close();
  }

  /** Remembers what has to be closed with the log. */
  #keep<T extends Closable>(opened: T): T {
    const close = opened.close.bind(opened);
    opened.close = async () => {
      this.#open.delete(opened);
      await close();
    };
    this.#open.add(opened);
    return opened;
  }
}
