import { DeadLetter } from '@millwright/contracts';
import { MAX_RECORD_BYTES } from './admission.js';
import type { LogRecord } from './record.js';

/** Characters of each text that a dead letter holds: with the value of a record that was looked at they fit the log, whatever was sent. */
const MAX_TEXT = 1_000;

/** Key of a dead letter: that of its record, as far as it is no monster. */
export const deadLetterKey = ({ key }: LogRecord): string => cut(key);

/** A dead letter encoded: the record whole, with what was wrong. Parts beyond all measure are cut, which the error then says. */
export function deadLetter(record: LogRecord, processor: string, error: string): Uint8Array {
  const { topic, partition, offset, key, value } = record;
  const { schema, source, sequence, traceparent } = record.headers;
  const reason = cut(oneLine(error));
  const isCut = value.byteLength > MAX_RECORD_BYTES || [key, schema, source].some((text) => text.length > MAX_TEXT);
  return DeadLetter.encode({
    topic,
    partition,
    offset,
    processor,
    error: isCut ? `${reason} (cut here; whole at ${topic}/${partition}@${offset}, where it has ${value.byteLength} bytes of value)` : reason,
    key: Buffer.from(cut(key)),
    value: value.subarray(0, MAX_RECORD_BYTES),
    headers: { schema: cut(schema), source: cut(source), sequence: `${sequence}`, ...(traceparent === undefined ? {} : { traceparent: cut(traceparent) }) },
  }).finish();
}

const cut = (text: string): string => (text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text);

/** Errors quote what they found, which may be anything. */
const oneLine = (text: string): string => text.replace(/[\u0000-\u001f\u007f]+/g, ' ');
