import type { AnyProcessor, Emission } from './processor.js';
import { WATERMARK_SCHEMA, Watermark } from '@millwright/contracts';
import { WATERMARK_KEY, type LogRecord, type NewRecord } from './record.js';
import type { LedgerEntry } from './runtime.js';
import { Task } from './task.js';

/** A record to be pushed through a PureRun; what is left out is made up. */
export interface PureRecord {
  readonly key: string;
  readonly value: Uint8Array;
  /** Event time, milliseconds since the Unix epoch. */
  readonly timeMs: number;
  /** Default: the processor's first input. */
  readonly topic?: string;
  readonly schema?: string;
  /** Default: one that has no repeats. */
  readonly source?: string;
  readonly sequence?: number;
}

/**
 * Drives a processor in memory, on one partition, without log or store: for training, baselines and tests. The very
 * runtime core that runs it live is underneath, so what comes out is the same. For processors that answer at once.
 */
export class PureRun {
  readonly #task: Task;
  readonly #processor: AnyProcessor;
  readonly #offsets = new Map<string, number>();

  constructor(processor: AnyProcessor) {
    this.#processor = processor;
    this.#task = new Task(processor, 0);
  }

  /**
   * Handles records in order; consecutive ones of one topic go as one batch.
   * @returns what was published: also dead letters and late records, by their topics
   */
  push(records: readonly PureRecord[]): Emission[] {
    const emissions: Emission[] = [];
    for (let from = 0; from < records.length; ) {
      const topic = this.#topic(records[from]);
      let to = from + 1;
      while (to < records.length && this.#topic(records[to]) === topic) to++;
      emissions.push(...this.#apply(topic, records.slice(from, to)));
      from = to;
    }
    return emissions;
  }

  /** Brings one input, or all of them, to an event time in microseconds, and returns what timers publish. */
  watermark(timeUs: number, topic?: string): Emission[] {
    const value = Watermark.encode({ timeUs, last: false }).finish();
    const record = { key: WATERMARK_KEY, value, timeMs: Math.floor(timeUs / 1_000), schema: WATERMARK_SCHEMA };
    const topics = topic === undefined ? this.#processor.inputs : [topic];
    return topics.flatMap((each) => this.#apply(each, [record]));
  }

  ledger(): LedgerEntry[] {
    return this.#task.ledger();
  }

  #topic(record: PureRecord | undefined): string {
    return record?.topic ?? (this.#processor.inputs[0] as string);
  }

  #apply(topic: string, records: readonly PureRecord[]): Emission[] {
    const first = this.#offsets.get(topic) ?? 0;
    const nextOffset = first + records.length;
    this.#offsets.set(topic, nextOffset);
    const batch = records.map(
      ({ key, value, timeMs, schema = '', source = 'pure-run', sequence = 0 }, i): LogRecord => ({
        topic, partition: 0, offset: first + i, key, value, timeMs, headers: { schema, source, sequence },
      }),
    );
    const outputs = this.#task.apply({ topic, records: batch, nextOffset }, { live: true });
    if ('then' in outputs) throw new Error(`processor ${this.#processor.name} answers with promises: a pure run needs one that answers at once`);
    return outputs.filter(({ headers }) => headers.schema !== WATERMARK_SCHEMA).map(emission);
  }
}

const emission = ({ topic, key, value, timeMs, headers }: NewRecord): Emission => ({ topic, key, value, timeMs, schema: headers.schema });
