import { Watermark, WATERMARK_SCHEMA } from '@millwright/contracts';
import { WATERMARK_KEY, type EventLog, type NewRecord, type RuntimeLogger } from '@millwright/streams';
import type { WatermarkTracker } from './watermark-tracker.js';

export interface WatermarkWriterOptions {
  readonly log: EventLog;
  /** Topics that get watermarks, in all their partitions. */
  readonly topics: readonly string[];
  /** Who writes; unique among writers. */
  readonly source: string;
  readonly tracker: WatermarkTracker;
  /** Milliseconds of a clock that only ever goes forward, as time does. */
  readonly now: () => number;
  readonly logger: RuntimeLogger;
}

/** Puts event time into the log: a watermark record in every partition whenever the watermark has moved. */
export class WatermarkWriter {
  readonly #options: WatermarkWriterOptions;
  #partitions: readonly { readonly topic: string; readonly partition: number }[] = [];
  #writtenUs = -Infinity;
  #writing: Promise<void> = Promise.resolve();
  #busy = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: WatermarkWriterOptions) {
    this.#options = options;
  }

  /** Last watermark that the log has, microseconds; -Infinity before the first. */
  get writtenUs(): number {
    return this.#writtenUs;
  }

  /** Writes every `intervalMs` from now on; a write that takes longer is not overtaken by the next. */
  async start(intervalMs: number): Promise<void> {
    const { log, topics } = this.#options;
    const counts = await Promise.all(topics.map((topic) => log.partitions(topic)));
    this.#partitions = topics.flatMap((topic, i) => Array.from({ length: counts[i]! }, (_, partition) => ({ topic, partition })));
    this.#timer = setInterval(() => {
      if (!this.#busy) this.flush().catch((error: unknown) => this.#options.logger.warn({ err: error }, 'the watermark could not be written; trying again'));
    }, intervalMs).unref();
  }

  /** `source` promises to send nothing older than `toUs`. */
  advance(source: string, toUs: number): void {
    this.#options.tracker.advance(source, toUs, this.#options.now());
  }

  /** `source` sent data that begins at `timeUs`, and the log has it. */
  observe(source: string, timeUs: number): void {
    this.#options.tracker.observe(source, timeUs, this.#options.now());
  }

  /** Writes the watermark now, after any write under way; resolves when the log has it. */
  flush(): Promise<void> {
    const previous = this.#writing;
    const next = previous.then(() => this.#write());
    // The next write waits for this one and not for its success.
    this.#writing = next.catch(() => undefined);
    return next;
  }

  /** Writes a last watermark, which says that it is, so that nobody waits long for more. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.#writing;
    await this.#write(true);
  }

  async #write(last = false): Promise<void> {
    const timeUs = this.#options.tracker.at(this.#options.now());
    if (timeUs === -Infinity || (timeUs <= this.#writtenUs && !last)) return;
    const value = Watermark.encode({ timeUs, last }).finish();
    const timeMs = Math.max(0, Math.floor(timeUs / 1000));
    // Not numbered: one more or less says nothing new, and a restarted writer takes the place of the one before.
    const headers = { schema: WATERMARK_SCHEMA, source: this.#options.source, sequence: 0 };
    const records = this.#partitions.map(({ topic, partition }): NewRecord => ({ topic, partition, key: WATERMARK_KEY, value, timeMs, headers }));
    this.#busy = true;
    try {
      await this.#options.log.append(records);
      this.#writtenUs = timeUs;
    } finally {
      this.#busy = false;
    }
  }
}
