import { TOPICS, type Topic } from '@millwright/contracts';
import { Admission } from './admission.js';
import type { LogRecord } from './record.js';
import type { LedgerEntry } from './runtime.js';
import { SequenceTracker, type SequenceSnapshot } from './sequence-tracker.js';
import { Timers } from './timers.js';

/** A watermark writer this far behind the newest (microseconds of event time) is taken for dead and no longer waited for. */
const WRITER_LAG_US = 10_000_000;
/** The same of one that said it would end: whoever sent to it is told at once, and needs this long to go on with another, at most. */
const LEAVER_LAG_US = 3_000_000;
/** Streams followed per input; beyond it the one first seen is forgotten, so that made-up sources can't fill the memory. */
const MAX_STREAMS = 100_000;
/** Topics whose sources count each asset's records for itself (see RecordHeaders.sequence). */
const COUNTED_BY_KEY: ReadonlySet<string> = new Set([TOPICS.telemetry.name, TOPICS.production.name]);
/** Topics that never get watermarks. */
const UNTIMED: ReadonlySet<string> = new Set(Object.values<Topic>(TOPICS).filter(({ timed }) => !timed).map(({ name }) => name));

/** Processors whose watermarks don't count, by topic. */
const UNPACED: ReadonlyMap<string, readonly string[]> = new Map(Object.values<Topic>(TOPICS).map(({ name, unpaced = [] }) => [name, unpaced]));

/** -Infinity, which JSON lacks, is null. */
export interface InputSnapshot {
  readonly topic: string;
  readonly offset: number;
  readonly trimmed: boolean;
  readonly counts: readonly number[];
  readonly watermarkUs: number | null;
  /** Writer, its latest watermark, and whether it has ended with that. */
  readonly writers: readonly (readonly [string, number, boolean?])[];
  readonly streams: readonly (readonly [string, SequenceSnapshot])[];
  readonly timers: readonly (readonly [string, number])[];
  readonly written: readonly (readonly [string, number])[];
}

/** What a task knows of one of its input topics. Nothing here depends on other inputs, so their interleaving doesn't matter. */
export class Input {
  readonly topic: string;
  /** What its records must be to be processed. */
  readonly admission: Admission;
  /** Next offset to be applied. */
  offset = 0;
  in = 0;
  processed = 0;
  deadLettered = 0;
  late = 0;
  repeated = 0;
  missing = 0;
  watermarks = 0;
  /** Event time reached, microseconds. */
  watermarkUs = -Infinity;
  /** Whether retention had dropped records before the first that was applied. */
  trimmed = false;
  readonly timers = new Timers();
  /** Last sequence written, by output topic. */
  readonly written = new Map<string, number>();
  readonly #byKey: boolean;
  readonly #isUntimed: boolean;
  readonly #unpaced: readonly string[];
  readonly #streams = new Map<string, SequenceTracker>();
  /** Latest watermark by its writer, and whether the writer has ended with it. */
  readonly #writers = new Map<string, { readonly reachedUs: number; readonly hasEnded: boolean }>();

  constructor(topic: string) {
    this.topic = topic;
    this.admission = new Admission(topic);
    this.#byKey = COUNTED_BY_KEY.has(topic);
    this.#isUntimed = UNTIMED.has(topic);
    this.#unpaced = UNPACED.get(topic) ?? [];
  }

  /** Whether the record is new, by source and sequence; one without a sequence (0) always is. */
  isNew({ key, headers: { source, sequence } }: LogRecord): boolean {
    if (!(sequence >= 1)) return true;
    const name = this.#byKey ? `${source}\0${key}` : source;
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      stream = new SequenceTracker(this.trimmed ? sequence - 1 : 0);
      this.#streams.set(name, stream);
      if (this.#streams.size > MAX_STREAMS) for (const first of this.#streams.keys()) { this.#streams.delete(first); break; }
    }
    const missing = stream.missing;
    const isNew = stream.observe(sequence);
    this.missing += stream.missing - missing;
    return isNew;
  }

  /**
   * Takes a writer's watermark: the topic has reached the least of its writers' that are alive. Alive is decided from the
   * log alone, so a replay decides the same. Those of processors that don't pace the topic don't count.
   * @param hasEnded whether the writer says that it ends with it
   * @returns whether the topic's watermark grew
   */
  advance(writer: string, timeUs: number, hasEnded = false): boolean {
    if (this.#unpaced.some((each) => writer.startsWith(`${each}/`))) return false;
    this.#writers.set(writer, { reachedUs: Math.max(timeUs, this.#writers.get(writer)?.reachedUs ?? -Infinity), hasEnded });
    let newest = -Infinity;
    for (const { reachedUs } of this.#writers.values()) newest = Math.max(newest, reachedUs);
    let least = Infinity;
    for (const [each, latest] of this.#writers) {
      if (latest.reachedUs < newest - (latest.hasEnded ? LEAVER_LAG_US : WRITER_LAG_US)) this.#writers.delete(each);
      else least = Math.min(least, latest.reachedUs);
    }
    if (least <= this.watermarkUs) return false;
    this.watermarkUs = least;
    return true;
  }

  /**
   * Event time up to which nothing more is derived from this input, microseconds: its watermark, and before the first nothing is promised.
   * An input that is to get none promises everything, or it would hold the others up for ever.
   */
  get doneUs(): number {
    return this.watermarkUs === -Infinity && this.#isUntimed ? Infinity : this.watermarkUs;
  }

  /** The next sequence of an output topic. */
  nextSequence(output: string): number {
    const sequence = (this.written.get(output) ?? 0) + 1;
    this.written.set(output, sequence);
    return sequence;
  }

  ledger(partition: number): LedgerEntry {
    const { topic, processed, deadLettered, late, repeated, missing, watermarks } = this;
    return { topic, partition, in: this.in, processed, deadLettered, late, repeated, missing, watermarks };
  }

  snapshot(): InputSnapshot {
    return {
      topic: this.topic,
      offset: this.offset,
      trimmed: this.trimmed,
      counts: [this.in, this.processed, this.deadLettered, this.late, this.repeated, this.missing, this.watermarks],
      watermarkUs: Number.isFinite(this.watermarkUs) ? this.watermarkUs : null,
      writers: [...this.#writers].map(([writer, { reachedUs, hasEnded }]) => [writer, reachedUs, hasEnded] as const),
      streams: [...this.#streams].map(([name, stream]) => [name, stream.snapshot()] as const),
      timers: this.timers.entries(),
      written: [...this.written],
    };
  }

  restore(snapshot: InputSnapshot): void {
    const [all = 0, processed = 0, deadLettered = 0, late = 0, repeated = 0, missing = 0, watermarks = 0] = snapshot.counts;
    Object.assign(this, { in: all, processed, deadLettered, late, repeated, missing, watermarks });
    this.offset = snapshot.offset;
    this.trimmed = snapshot.trimmed;
    this.watermarkUs = snapshot.watermarkUs ?? -Infinity;
    for (const [writer, reachedUs, hasEnded = false] of snapshot.writers) this.#writers.set(writer, { reachedUs, hasEnded });
    for (const [name, stream] of snapshot.streams) this.#streams.set(name, SequenceTracker.restore(stream));
    for (const [key, timeUs] of snapshot.timers) this.timers.set(key, timeUs);
    for (const [output, sequence] of snapshot.written) this.written.set(output, sequence);
  }
}
