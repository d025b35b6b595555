import { randomUUID } from 'node:crypto';
import type { EventLog, LogBatch, TopicSpec } from '../log.js';
import type { LogRecord, NewRecord } from '../record.js';

/** A name that no other test has: one broker or file serves all tests. */
export const unique = (prefix: string): string => `${prefix}-${randomUUID().slice(0, 8)}`;

export const topicSpec = (name: string, partitions: number, compacted = false): TopicSpec => ({
  name,
  partitions,
  retentionMs: 86_400_000,
  compacted,
});

/** A record with a text for a value, from source `test`. */
export function record(topic: string, partition: number, key: string, text: string, sequence = 0): NewRecord {
  return {
    topic,
    partition,
    key,
    value: Buffer.from(text),
    timeMs: 1_700_000_000_000 + sequence,
    headers: { schema: 'test.v1.Text', source: 'test', sequence },
  };
}

export const text = (of: { readonly value: Uint8Array }): string => Buffer.from(of.value).toString();

/** Waits until `condition` holds. */
export async function eventually(condition: () => boolean, what: string, timeoutMs = 30_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** All records that are committed now, by topic in the order of `topics`, each topic by partition and offset. */
export async function readAll(log: EventLog, topics: readonly string[]): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  const tail = await log.tail({ topics, from: 'earliest', batch: (batch: LogBatch) => void records.push(...batch.records) });
  await tail.caughtUp();
  await tail.close();
  return records.sort(
    (a, b) => topics.indexOf(a.topic) - topics.indexOf(b.topic) || a.partition - b.partition || a.offset - b.offset,
  );
}

/** A promise to be settled from outside. */
export interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

export function gate(): Gate {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}
