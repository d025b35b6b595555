import { randomUUID } from 'node:crypto';
import type { Kafka } from 'kafkajs';
import { COMMITTED, type Offsets, type Tail, type TailOptions } from '../log.js';
import type { RuntimeLogger } from '../runtime.js';
import { GroupMember } from './group-member.js';
import type { Inquiry } from './inquiry.js';

/**
 * A reader of all partitions. kafkajs reads only in groups, so it is the one member of a group of its own that commits nothing
 * and that the broker forgets when it leaves.
 */
export class KafkaTail implements Tail {
  readonly #inquiry: Inquiry;
  readonly #options: TailOptions;
  readonly #member: GroupMember;
  readonly #progress: Progress;

  private constructor(inquiry: Inquiry, options: TailOptions, member: GroupMember, progress: Progress) {
    this.#inquiry = inquiry;
    this.#options = options;
    this.#member = member;
    this.#progress = progress;
  }

  static async open(kafka: Kafka, inquiry: Inquiry, logger: RuntimeLogger, options: TailOptions): Promise<KafkaTail> {
    const position = new Map(
      await Promise.all(
        options.topics.map(async (topic): Promise<[string, number[]]> => {
          const ends = await inquiry.endOffsets(topic);
          return [topic, options.from === 'latest' ? ends : ends.map(() => 0)];
        }),
      ),
    );
    const progress = new Progress();
    const member = await GroupMember.join({
      kafka,
      inquiry,
      logger,
      group: `millwright-tail-${randomUUID()}`,
      topics: options.topics,
      handler: {
        assigned: (partition) => Promise.resolve(startOf(position, partition)),
        batches: async (batches) => {
          for (const batch of batches) {
            await options.batch(batch);
            position.get(batch.topic)![batch.partition] = batch.nextOffset;
          }
          return COMMITTED;
        },
        revoked: () => Promise.resolve(),
      },
      progressed: () => progress.made(),
    });
    return new KafkaTail(inquiry, options, member, progress);
  }

  async caughtUp(): Promise<void> {
    // The end of the log, not of what is committed: a transaction that has just been committed may still lack its markers.
    const ends = await Promise.all(this.#options.topics.map(async (topic) => [topic, await this.#inquiry.endOffsets(topic)] as const));
    await this.#progress.until(() =>
      ends.every(([topic, offsets]) => offsets.every((end, partition) => (this.#member.delivered(topic, partition) ?? -1) >= end)),
    );
  }

  async close(): Promise<void> {
    this.#progress.end(new Error('This tail is closed.'));
    await this.#member.close();
  }
}

function startOf(position: ReadonlyMap<string, readonly number[]>, partition: number): Offsets {
  const start: Record<string, number> = {};
  for (const [topic, offsets] of position) {
    const offset = offsets[partition];
    if (offset !== undefined) start[topic] = offset;
  }
  return start;
}

/** Lets callers wait for a condition that only progress can bring about. */
class Progress {
  readonly #waiting = new Set<{ readonly condition: () => boolean; readonly resolve: () => void; readonly reject: (error: Error) => void }>();

  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiting.add({ condition, resolve, reject }));
  }

  made(): void {
    for (const each of this.#waiting) {
      if (!each.condition()) continue;
      this.#waiting.delete(each);
      each.resolve();
    }
  }

  end(error: Error): void {
    for (const each of this.#waiting) each.reject(error);
    this.#waiting.clear();
  }
}
