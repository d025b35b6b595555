import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { LogRecord } from '@millwright/streams';

/** A record as it was read from the log. */
export interface OutputRecord {
  readonly topic: string;
  readonly partition: number;
  readonly key: string;
  readonly value: Buffer;
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number;
  readonly schema: string;
  readonly source: string;
  readonly sequence: number;
}

/** A record that was read with the code that is to be proved. */
export function outputOf({ topic, partition, key, value, timeMs, headers: { schema, source, sequence } }: LogRecord): OutputRecord {
  return { topic, partition, key, value: Buffer.from(value), timeMs, schema, source, sequence };
}

/** A record without its value. */
export interface RecordedEntry {
  readonly timeMs: number;
  readonly schema: string;
  readonly sequence: number;
  /** Of the value. */
  readonly digest: string;
}

/** Records of one key of one topic by one writer, in their order. Those of different writers have none among each other. */
export interface Chain {
  readonly topic: string;
  readonly key: string;
  readonly source: string;
  readonly entries: readonly RecordedEntry[];
}

/** What came out of a run: in memory what identifies each record, in a file the values. */
export class Recording {
  readonly #file: number;
  readonly #chains = new Map<string, Chain & { readonly entries: RecordedEntry[]; readonly at: number[]; readonly length: number[] }>();
  /** Last number that each writer has given in a topic. */
  readonly #numbers = new Map<string, number>();
  readonly #counts = new Map<string, number>();
  readonly #misnumbered: string[] = [];
  #end = 0;

  /** @param path of the file for the values, made anew */
  constructor(path: string) {
    this.#file = openSync(path, 'w+');
  }

  add({ topic, partition, key, value, timeMs, schema, source, sequence }: OutputRecord): void {
    const id = chainId(topic, key, source);
    let chain = this.#chains.get(id);
    if (chain === undefined) this.#chains.set(id, (chain = { topic, key, source, entries: [], at: [], length: [] }));
    writeSync(this.#file, value, 0, value.length, this.#end);
    chain.entries.push({ timeMs, schema, sequence, digest: createHash('sha1').update(value).digest('base64') });
    chain.at.push(this.#end);
    chain.length.push(value.length);
    this.#end += value.length;
    this.#counts.set(topic, (this.#counts.get(topic) ?? 0) + 1);
    // Late records keep the numbers that their senders gave them.
    if (!topic.endsWith('.late')) this.#number(topic, partition, source, sequence);
  }

  chains(): Iterable<Chain> {
    return this.#chains.values();
  }

  chain(topic: string, key: string, source: string): Chain | undefined {
    return this.#chains.get(chainId(topic, key, source));
  }

  /** Value of a record, by its place in its chain. */
  value({ topic, key, source }: Chain, index: number): Buffer {
    const chain = this.#chains.get(chainId(topic, key, source))!;
    const value = Buffer.alloc(chain.length[index]!);
    readSync(this.#file, value, 0, value.length, chain.at[index]!);
    return value;
  }

  /** Records read of a topic. */
  count(topic: string): number {
    return this.#counts.get(topic) ?? 0;
  }

  /** Where a writer's numbers in a topic are not 1, 2, 3 and so on: a sentence each. */
  get misnumbered(): readonly string[] {
    return this.#misnumbered;
  }

  close(): void {
    closeSync(this.#file);
  }

  #number(topic: string, partition: number, source: string, sequence: number): void {
    const id = `${topic}/${partition} ${source}`;
    const last = this.#numbers.get(id) ?? 0;
    if (sequence !== last + 1) this.#misnumbered.push(`${topic}/${partition}: ${source || 'a record without a writer'} wrote number ${sequence} after ${last}`);
    this.#numbers.set(id, sequence);
  }
}

const chainId = (topic: string, key: string, source: string): string => `${topic}\0${key}\0${source}`;
