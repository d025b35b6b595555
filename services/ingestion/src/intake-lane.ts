import type { MessageFns, Refusal } from '@millwright/contracts';
import { partitionFor, type EventLog, type NewRecord, type RuntimeLogger, type RuntimeTelemetry } from '@millwright/streams';
import type { ByteBudget } from './byte-budget.js';
import type { IntakeMeter } from './intake-meter.js';
import { RecentSequences } from './recent-sequences.js';
import { Problems } from './refusal.js';

/** What blocks and production records have in common. */
export interface SentRecord {
  readonly source: string;
  readonly sequence: number;
  readonly asset: string;
}

/** One kind of record that ingestion takes, and the topic it goes to. */
export interface LaneSpec<M extends SentRecord> {
  readonly topic: string;
  readonly schema: string;
  /** Name of the repeated field that holds the records in requests, for field paths. */
  readonly field: string;
  readonly codec: MessageFns<M>;
  check(message: M, bytes: number, problems: Problems): void;
  /** Event time that it begins at, microseconds since the epoch. */
  timeUs(message: M): number;
}

export interface LaneContext {
  readonly log: EventLog;
  readonly partitions: number;
  /** Shared by all lanes of the process. */
  readonly budget: ByteBudget;
  readonly meter: IntakeMeter;
  readonly runtime: Pick<RuntimeTelemetry, 'span' | 'sent'>;
  readonly logger: RuntimeLogger;
  /** Told of event time when the log has the data. */
  readonly observe: (source: string, timeUs: number) => void;
}

/** What became of the good records of a request: those the log has now, and those it had already. */
export interface Outcome {
  readonly accepted: number;
  readonly repeated: number;
}

/** A request that has been let in. */
export interface Receipt {
  /** Why records were not taken, by field; the others are under way. */
  readonly refusals: readonly Refusal[];
  /** Resolves when the log has all good records; rejects with what the log said when it could not take them: send again, nothing is written twice. */
  readonly durable: Promise<Outcome>;
}

interface Entry<M> {
  readonly message: M;
  readonly bytes: Uint8Array;
}

/** The way of one kind of record from a sender to its topic: check, back-pressure, repeats, append. */
export class IntakeLane<M extends SentRecord> {
  readonly #spec: LaneSpec<M>;
  readonly #context: LaneContext;
  readonly #recent = new RecentSequences();

  constructor(spec: LaneSpec<M>, context: LaneContext) {
    this.#spec = spec;
    this.#context = context;
  }

  /**
   * Takes encoded records; their bytes go to the log as they are and must not change until `durable` settles. Resolves when
   * there is room for them (back-pressure), so hold further ones back until then. Requests of one caller are written in the order of calls.
   */
  takeEncoded(records: readonly Uint8Array[], traceparent?: string): Promise<Receipt> {
    const refusals: Refusal[] = [];
    const good: Entry<M>[] = [];
    for (const [i, bytes] of records.entries()) {
      const problems = new Problems(`${this.#spec.field}[${i}]`);
      const message = this.#decode(bytes, problems);
      if (message !== undefined) this.#sort({ message, bytes }, problems, good, refusals);
      else refusals.push(...problems.refusals);
    }
    return this.#take(good, refusals, records.length - good.length, traceparent);
  }

  /** Takes records as messages; see takeEncoded. */
  take(messages: readonly M[], traceparent?: string): Promise<Receipt> {
    const refusals: Refusal[] = [];
    const good: Entry<M>[] = [];
    for (const [i, message] of messages.entries()) {
      const bytes = this.#spec.codec.encode(message).finish();
      this.#sort({ message, bytes }, new Problems(`${this.#spec.field}[${i}]`), good, refusals);
    }
    return this.#take(good, refusals, messages.length - good.length, traceparent);
  }

  #decode(bytes: Uint8Array, problems: Problems): M | undefined {
    try {
      return this.#spec.codec.decode(bytes);
    } catch (error) {
      problems.add('', 'MALFORMED', `The bytes are no ${this.#spec.schema} (${(error as Error).message}); encode it by the .proto files of this version.`);
      return undefined;
    }
  }

  #sort(entry: Entry<M>, problems: Problems, good: Entry<M>[], refusals: Refusal[]): void {
    this.#spec.check(entry.message, entry.bytes.length, problems);
    if (problems.refusals.length === 0) good.push(entry);
    else refusals.push(...problems.refusals);
  }

  async #take(good: readonly Entry<M>[], refusals: readonly Refusal[], refused: number, traceparent?: string): Promise<Receipt> {
    const { budget, meter } = this.#context;
    meter.refused(this.#spec.topic, refused, refusals);
    const bytes = good.reduce((sum, entry) => sum + entry.bytes.length, 0);
    if (bytes > 0) await budget.acquire(bytes);
    const durable = this.#write(good, traceparent).finally(() => budget.release(bytes));
    // Callers look at it when its turn comes; until then a rejection is not unhandled.
    durable.catch(() => undefined);
    return { refusals, durable };
  }

  async #write(good: readonly Entry<M>[], traceparent: string | undefined): Promise<Outcome> {
    const { meter, observe } = this.#context;
    const written = Promise.withResolvers<void>();
    written.promise.catch(() => undefined);
    const fresh: Entry<M>[] = [];
    const earlier: Promise<void>[] = [];
    for (const entry of good) {
      const { source, asset, sequence } = entry.message;
      const known = this.#recent.known(source, asset, sequence);
      if (known === undefined) {
        this.#recent.add(source, asset, sequence, written.promise);
        fresh.push(entry);
      } else if (known !== written.promise) earlier.push(known);
    }
    try {
      if (fresh.length > 0) await this.#append(fresh, traceparent);
      written.resolve();
    } catch (error) {
      written.reject(error);
      this.#context.logger.warn({ err: error, topic: this.#spec.topic, records: fresh.length }, 'the log did not take records; their senders are told to send again');
      throw error;
    }
    // Repeats of what another request is still writing are acknowledged when that is written.
    await Promise.all(earlier);
    for (const { message } of fresh) observe(message.source, this.#spec.timeUs(message));
    const outcome = { accepted: fresh.length, repeated: good.length - fresh.length };
    meter.taken(this.#spec.topic, outcome);
    return outcome;
  }

  #append(fresh: readonly Entry<M>[], caller: string | undefined): Promise<void> {
    const { log, runtime } = this.#context;
    const { topic } = this.#spec;
    const records = fresh.length;
    return runtime.span({ operation: 'send', topic, records }, caller === undefined ? [] : [caller], async (traceparent = caller) => {
      const startedMs = performance.now();
      await log.append(fresh.map((entry) => this.#record(entry, traceparent)));
      runtime.sent({ topic, records, seconds: (performance.now() - startedMs) / 1000, traceparent });
    });
  }

  #record({ message, bytes }: Entry<M>, traceparent: string | undefined): NewRecord {
    const { topic, schema } = this.#spec;
    const { source, sequence, asset } = message;
    const headers = traceparent === undefined ? { schema, source, sequence } : { schema, source, sequence, traceparent };
    const timeMs = Math.floor(this.#spec.timeUs(message) / 1000);
    return { topic, partition: partitionFor(asset, this.#context.partitions), key: asset, value: bytes, timeMs, headers };
  }
}
