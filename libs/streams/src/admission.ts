import { TOPICS } from '@millwright/contracts';
import { PoisonRecordError } from './processor.js';
import type { LogRecord } from './record.js';

/**
 * Bytes of a record, about, that processors look at. What is larger could not go whole to the late records or the dead letters, for
 * which the log's own bound (1 MB with Kafka) leaves no room; ingestion takes blocks of half a MiB at most.
 */
export const MAX_RECORD_BYTES = 900_000;

/** Schema of each topic's records, by topic. */
const SCHEMAS: ReadonlyMap<string, string> = new Map(Object.values(TOPICS).map(({ name, schema }) => [name, schema]));

const bytesOf = ({ key, value, headers: { source, schema } }: LogRecord): number => value.byteLength + 3 * (key.length + source.length + schema.length);

/** What the records of one topic must be before a processor sees them. */
export class Admission {
  readonly #topic: string;
  readonly #schema: string | undefined;

  constructor(topic: string) {
    this.#topic = topic;
    this.#schema = SCHEMAS.get(topic);
  }

  /**
   * A record without schema is taken for what its topic's name says, for writers that know no headers.
   * @throws PoisonRecordError when the record is too large, or says that it is something else than the topic holds
   */
  check(record: LogRecord): void {
    const { schema } = record.headers;
    if (schema !== this.#schema && schema !== '' && this.#schema !== undefined) throw new PoisonRecordError(this.#mismatch(schema, this.#schema));
    const bytes = bytesOf(record);
    if (bytes > MAX_RECORD_BYTES) throw new PoisonRecordError(`the record has ${bytes} bytes and at most ${MAX_RECORD_BYTES} are taken: send smaller ones`);
  }

  #mismatch(found: string, own: string): string {
    const [foundName, foundVersion] = versioned(found);
    const [ownName, ownVersion] = versioned(own);
    if (foundName === ownName && foundVersion > ownVersion) {
      return `schema: ${found} is newer than ${own}, which this version reads: update this service, then send the record again`;
    }
    return `schema: ${found} is not ${own}, which ${this.#topic} holds: write it to the topic of its own`;
  }
}

/** Name without version, and version, of a full protobuf name; version 0 where it has none. */
function versioned(schema: string): [name: string, version: number] {
  const [, area, version, message] = /^(.*)\.v(\d+)\.([^.]*)$/.exec(schema) ?? [];
  return area === undefined ? [schema, 0] : [`${area}.${message}`, Number(version)];
}
