import { setTimeout as delay } from 'node:timers/promises';
import { deadLetterTopic, lateTopic, LINE_ENDS, TOPICS, Watermark, WATERMARK_SCHEMA, type Topic } from '@millwright/contracts';
import { readCommittedOnly } from '@millwright/streams';
import kafkajs, { type Admin, type IHeaders, type KafkaMessage } from 'kafkajs';
import { Recording } from './recording.js';

/** Where all of what is compared comes out, and who writes there. */
const ENDS = [...LINE_ENDS, [TOPICS.alarmStates.name, 'alerting']] as const;
/** All that the line writes, its refusals included. */
export const OUTPUTS: readonly string[] = [
  ...new Set(ENDS.map(([topic]) => topic)),
  ...Object.values<Topic>(TOPICS).flatMap(({ name, consumed }) => (consumed ? [deadLetterTopic(name), lateTopic(name)] : [])),
];

/** Key of the records that mark the end. */
const END_KEY = '~end-of-proof';

const PATIENCE_MS = 60_000;
const POLL_MS = 20;
const RETRY_MS = 100;

/** Told of each record when it is seen, marks of event time included; `source` is its writer, and `writtenMs` when that wrote it, milliseconds since the Unix epoch. */
export type Watch = (topic: string, partition: number, source: string, writtenMs: number) => void;

/**
 * Reads what a line puts out, committed records only, as any stranger could: with a bare Kafka client, a known fault of which is mended,
 * and not with the code that is to be proved. Goes on where it was when the broker comes back.
 */
export class Outputs {
  readonly recording: Recording;
  readonly #kafka: kafkajs.Kafka;
  readonly #admin: Admin;
  readonly #partitions: number;
  /** Next offset of each partition. */
  readonly #next = new Map<string, number>();
  /** By topic and who wrote it, which names the partition: `<topic> <processor>/<partition>`. */
  readonly #reachedUs = new Map<string, number>();
  /** Partitions that have been read to the end, see complete(). */
  readonly #ended = new Set<string>();
  readonly #watches = new Set<Watch>();
  readonly #closing = Promise.withResolvers<void>();
  #reading: Promise<void> | undefined;
  #readers = 0;
  #closed = false;

  private constructor(brokers: readonly string[], partitions: number, recording: Recording) {
    this.recording = recording;
    this.#partitions = partitions;
    this.#kafka = new kafkajs.Kafka({ brokers: [...brokers], clientId: 'proof', logLevel: kafkajs.logLevel.NOTHING, retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 100 } });
    this.#admin = this.#kafka.admin();
  }

  /**
   * Begins to read topics that exist.
   * @param file for the values
   */
  static async open(brokers: readonly string[], partitions: number, file: string): Promise<Outputs> {
    readCommittedOnly();
    const outputs = new Outputs(brokers, partitions, new Recording(file));
    await outputs.#admin.connect();
    outputs.#reading = outputs.#readOn();
    return outputs;
  }

  /** Calls `watch` for each record from now on; returns how to end that. */
  watch(watch: Watch): () => void {
    this.#watches.add(watch);
    return () => this.#watches.delete(watch);
  }

  /** Event time that has come out at every end of the line, microseconds. */
  get reachedUs(): number {
    let reached = Infinity;
    for (const [topic, writer] of ENDS) {
      for (let partition = 0; partition < this.#partitions; partition++) reached = Math.min(reached, this.#reachedUs.get(`${topic} ${writer}/${partition}`) ?? -Infinity);
    }
    return reached;
  }

  /**
   * Resolves when all that is in the output now has been read: a record of our own, put behind it in every partition, tells. Only when no
   * service reads any more, since it is none of theirs. @throws when it doesn't come for long.
   */
  async complete(): Promise<void> {
    const producer = this.#kafka.producer({ allowAutoTopicCreation: false, createPartitioner: () => ({ message }) => message.partition! });
    await producer.connect();
    const messages = Array.from({ length: this.#partitions }, (_, partition) => ({ partition, key: END_KEY, value: Buffer.alloc(0) }));
    await producer.sendBatch({ topicMessages: OUTPUTS.map((topic) => ({ topic, messages })) });
    await producer.disconnect();
    for (const began = performance.now(); this.#ended.size < OUTPUTS.length * this.#partitions; await delay(POLL_MS)) {
      if (performance.now() - began > PATIENCE_MS) throw new Error(`The output was not read to its end within ${PATIENCE_MS / 1000} s.`);
    }
  }

  /** Offsets after the last record of each partition of some topics, committed or not, by `<topic>/<partition>`. */
  async ends(topics: readonly string[]): Promise<Map<string, number>> {
    const found = await Promise.all(topics.map(async (topic) => [topic, await this.#admin.fetchTopicOffsets(topic)] as const));
    return new Map(found.flatMap(([topic, partitions]) => partitions.map(({ partition, high }) => [`${topic}/${partition}`, Number(high)] as const)));
  }

  /** Records of a topic that a consumer group has not yet done with. */
  async lag(group: string, topic: string): Promise<number> {
    const ends = await this.ends([topic]);
    const [committed] = await this.#admin.fetchOffsets({ groupId: group, topics: [topic] });
    let lag = 0;
    for (const { partition, offset } of committed!.partitions) lag += ends.get(`${topic}/${partition}`)! - Math.max(0, Number(offset));
    return lag;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#closing.resolve();
    await this.#reading;
    await this.#admin.disconnect();
  }

  /** Reads until it is closed. */
  async #readOn(): Promise<void> {
    while (!this.#closed) {
      try {
        await this.#read();
      } catch {
        // The broker is away: asked again until it is back.
        await delay(RETRY_MS);
      }
    }
  }

  /** Reads until the consumer crashes, or until it is closed. */
  async #read(): Promise<void> {
    const consumer = this.#kafka.consumer({
      groupId: `proof-${process.pid}-${this.#readers++}`,
      readUncommitted: false,
      allowAutoTopicCreation: false,
      maxWaitTimeInMs: 100,
      retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 100, restartOnFailure: () => Promise.resolve(false) },
    });
    const crashed = new Promise<void>((resolve) => consumer.on(consumer.events.CRASH, () => resolve()));
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [...OUTPUTS], fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatch: ({ batch: { topic, partition, messages } }) => {
          for (const message of messages) this.#take(topic, partition, message);
          return Promise.resolve();
        },
      });
      // A reader that begins anew, and again at the beginning, goes on where the one before was.
      for (const [id, offset] of this.#next) {
        const at = id.lastIndexOf('/');
        consumer.seek({ topic: id.slice(0, at), partition: Number(id.slice(at + 1)), offset: `${offset}` });
      }
      await Promise.race([crashed, this.#closing.promise]);
    } finally {
      await consumer.disconnect();
    }
  }

  #take(topic: string, partition: number, { offset, key, value, timestamp, headers = {} }: KafkaMessage): void {
    const id = `${topic}/${partition}`;
    const place = Number(offset);
    if (place < (this.#next.get(id) ?? 0)) return;
    this.#next.set(id, place + 1);
    const source = text(headers, 'source');
    for (const watch of this.#watches) watch(topic, partition, source, Number(timestamp));
    if (key?.toString() === END_KEY) {
      this.#ended.add(id);
      return;
    }
    const bytes = value ?? Buffer.alloc(0);
    const schema = text(headers, 'schema');
    if (schema === WATERMARK_SCHEMA) {
      const { timeUs } = Watermark.decode(bytes);
      const end = `${topic} ${source}`;
      if (timeUs > (this.#reachedUs.get(end) ?? -Infinity)) this.#reachedUs.set(end, timeUs);
      return;
    }
    this.recording.add({
      topic, partition, schema,
      key: key?.toString() ?? '',
      value: bytes,
      timeMs: Number(text(headers, 'time')),
      source,
      sequence: Number(text(headers, 'sequence')),
    });
  }
}

function text(headers: IHeaders, name: string): string {
  return headers[name]?.toString() ?? '';
}
