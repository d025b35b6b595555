import { WATERMARK_SCHEMA } from '@millwright/contracts';
import type { Offsets } from '../log.js';
import type { NewRecord } from '../record.js';

/** Last sequence of a source in a topic, by `<topic> <source>`. */
export type LastSequences = ReadonlyMap<string, number>;

/** What a commit leaves with its offsets: enough for a successor to see whether all of it took place. */
export interface Receipt {
  /** Who commits, and the number of the commit among its own: no two receipts are the same. */
  readonly by: string;
  readonly number: number;
  /** Offsets that were committed before, by input. */
  readonly before: Offsets;
  /** Where in each output to look for what it has written: whatever was written before lies before. */
  readonly from: Offsets;
  readonly wrote: LastSequences;
}

/** The broker takes 4096 bytes (offset.metadata.max.bytes). */
const MAX_BYTES = 4_000;

/** What does not fit is left out of what was written, and then not looked for. */
export function encodeReceipt({ wrote, ...rest }: Receipt): string {
  for (let kept = [...wrote]; ; kept = kept.slice(0, -1)) {
    const text = JSON.stringify({ ...rest, wrote: Object.fromEntries(kept) });
    if (kept.length === 0 || Buffer.byteLength(text) <= MAX_BYTES) return text;
  }
}

/** Undefined where the note is none of a commit's: from a release before, or of another input. */
export function decodeReceipt(note: string): Receipt | undefined {
  if (!note.startsWith('{')) return undefined;
  const { wrote, ...rest } = JSON.parse(note) as Omit<Receipt, 'wrote'> & { wrote: Record<string, number> };
  return { ...rest, wrote: new Map(Object.entries(wrote)) };
}

/** What outputs hold of a commit and of what came after. */
export interface Finding {
  /** Whether all that the commit wrote is there. */
  readonly isWhole: boolean;
  /** What is there of records that by the offsets are still to be written. */
  readonly ahead: LastSequences;
}

/** @param seen what the outputs hold from `receipt.from` on */
export function examine({ wrote }: Receipt, seen: LastSequences): Finding {
  const isWhole = [...wrote].every(([key, last]) => (seen.get(key) ?? -1) >= last);
  // Where a part is missing the offsets go back, and all that is there has been written ahead of them.
  return { isWhole, ahead: isWhole ? new Map([...seen].filter(([key, last]) => last > (wrote.get(key) ?? -1))) : seen };
}

/**
 * Name under which a record is looked for, if it can be: only what the task itself has numbered is its own for certain, and rises.
 * @param task whose records they are, `<processor>/<partition>`
 */
export function keyOf({ topic, headers: { schema, source } }: Pick<NewRecord, 'topic' | 'headers'>, task: string): string | undefined {
  return schema !== WATERMARK_SCHEMA && source.startsWith(`${task}/`) ? `${topic} ${source}` : undefined;
}

/** The last of each source among records in the order of the log. */
export function lastSequences(records: Iterable<Pick<NewRecord, 'topic' | 'headers'>>, task: string): Map<string, number> {
  const last = new Map<string, number>();
  for (const record of records) {
    const key = keyOf(record, task);
    if (key !== undefined) last.set(key, record.headers.sequence);
  }
  return last;
}
