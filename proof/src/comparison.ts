import { Alarm, AlarmEvent, DEAD_LETTER_SCHEMA, DeadLetter, FeatureVector, Finding, InferenceResult, TOPICS } from '@millwright/contracts';
import type { Chain, RecordedEntry, Recording } from './recording.js';

/** How what came out of one run differs from what came out of another. */
export interface Comparison {
  /** Records of the other run that this one has not. */
  readonly lost: number;
  /** Records that this run has more often than the other. */
  readonly duplicated: number;
  readonly identical: boolean;
  /** The first differences, a sentence each. */
  readonly differences: readonly string[];
}

export interface ComparisonOptions {
  /**
   * Whether the writers' numbers must be the same too, as they are where the log that was read is the same record for record. Not those of
   * alarms: they depend on where marks of event time stand in `quality.v1`, which is where both inputs of quality have reached them.
   */
  readonly numbered?: boolean;
  /** The one topic that is compared; all without it. */
  readonly topic?: string;
}

const SHOWN = 5;
const ALARMS: readonly string[] = [TOPICS.alarms.name, TOPICS.alarmStates.name];

const CODECS: ReadonlyMap<string, { decode(value: Uint8Array): object }> = new Map<string, { decode(value: Uint8Array): object }>([
  [TOPICS.features.schema, FeatureVector],
  [TOPICS.inferences.schema, InferenceResult],
  [TOPICS.quality.schema, Finding],
  [TOPICS.alarms.schema, AlarmEvent],
  [TOPICS.alarmStates.schema, Alarm],
  [DEAD_LETTER_SCHEMA, DeadLetter],
]);

/**
 * Compares record for record within each key of each topic: value, event time, schema and order. A key has a chain of records
 * for each writer, since how a service's inputs interleave is not part of the log, and neither is the order of what it derives from them.
 */
export function compare(expected: Recording, actual: Recording, { numbered = false, topic }: ComparisonOptions = {}): Comparison {
  let lost = 0;
  let duplicated = 0;
  const differences: string[] = [];
  for (const wanted of expected.chains()) {
    if (topic !== undefined && wanted.topic !== topic) continue;
    const found = actual.chain(wanted.topic, wanted.key, wanted.source) ?? { ...wanted, entries: [] };
    const withNumber = numbered && !ALARMS.includes(wanted.topic);
    const identity = withNumber ? numberedIdentity : unnumberedIdentity;
    const at = firstDifference(wanted, found, identity);
    if (at === undefined) continue;
    const balance = counts(wanted, found, identity);
    lost += balance.lost;
    duplicated += balance.duplicated;
    differences.push(describe(expected, wanted, actual, found, at, withNumber));
  }
  for (const found of actual.chains()) {
    if (topic !== undefined && found.topic !== topic) continue;
    if (expected.chain(found.topic, found.key, found.source) !== undefined) continue;
    differences.push(`${found.topic}, key ${found.key}: ${found.entries.length} records of ${found.source} that the other run does not have`);
  }
  const more = differences.length - SHOWN;
  return {
    lost,
    duplicated,
    identical: differences.length === 0,
    differences: more > 0 ? [...differences.slice(0, SHOWN), `and ${more} more keys differ`] : differences,
  };
}

type Identity = (entry: RecordedEntry) => string;

const unnumberedIdentity: Identity = ({ timeMs, schema, digest }) => `${timeMs} ${schema} ${digest}`;
const numberedIdentity: Identity = (entry) => `${unnumberedIdentity(entry)} ${entry.sequence}`;

function firstDifference(wanted: Chain, found: Chain, identity: Identity): number | undefined {
  const length = Math.max(wanted.entries.length, found.entries.length);
  for (let i = 0; i < length; i++) {
    const [one, other] = [wanted.entries[i], found.entries[i]];
    if (one === undefined || other === undefined || identity(one) !== identity(other)) return i;
  }
  return undefined;
}

function counts(wanted: Chain, found: Chain, identity: Identity): { readonly lost: number; readonly duplicated: number } {
  const left = new Map<string, number>();
  for (const entry of wanted.entries) left.set(identity(entry), (left.get(identity(entry)) ?? 0) + 1);
  let duplicated = 0;
  for (const entry of found.entries) {
    const id = identity(entry);
    const count = left.get(id);
    // What the other run does not have at all is different, and not there twice.
    if (count === undefined) continue;
    if (count > 0) left.set(id, count - 1);
    else duplicated++;
  }
  let lost = 0;
  for (const count of left.values()) lost += count;
  return { lost, duplicated };
}

function describe(expected: Recording, wanted: Chain, actual: Recording, found: Chain, at: number, numbered: boolean): string {
  const where = `${wanted.topic}, key ${wanted.key}, record ${at} of ${wanted.source}`;
  const [one, other] = [wanted.entries[at], found.entries[at]];
  if (other === undefined) return `${where}: missing, with all after it (${wanted.entries.length} expected, ${found.entries.length} found)`;
  if (one === undefined) return `${where}: one more than expected (${wanted.entries.length} expected, ${found.entries.length} found)`;
  const fields: string[] = [];
  if (one.timeMs !== other.timeMs) fields.push(`time is ${other.timeMs}, expected ${one.timeMs}`);
  if (one.schema !== other.schema) fields.push(`schema is ${other.schema}, expected ${one.schema}`);
  if (numbered && one.sequence !== other.sequence) fields.push(`sequence is ${other.sequence}, expected ${one.sequence}`);
  if (one.digest !== other.digest) fields.push(valueDifference(one.schema, expected.value(wanted, at), actual.value(found, at)));
  return `${where} (of ${wanted.entries.length}, ${found.entries.length} found): ${fields.join('; ')}`;
}

function valueDifference(schema: string, wanted: Buffer, found: Buffer): string {
  const codec = CODECS.get(schema);
  const field = codec === undefined ? undefined : fieldDifference(codec.decode(wanted), codec.decode(found), '');
  if (field !== undefined) return field;
  const at = wanted.findIndex((byte, i) => byte !== found[i]);
  return `value differs from byte ${at === -1 ? wanted.length : at} on (${found.length} bytes, expected ${wanted.length})`;
}

/** The first field in which two messages differ, and how. */
function fieldDifference(wanted: unknown, found: unknown, path: string): string | undefined {
  if (Object.is(wanted, found)) return undefined;
  if (typeof wanted !== 'object' || typeof found !== 'object' || wanted === null || found === null) {
    return `${path} is ${String(found)}, expected ${String(wanted)}`;
  }
  for (const name of new Set([...Object.keys(wanted), ...Object.keys(found)])) {
    const difference = fieldDifference((wanted as Record<string, unknown>)[name], (found as Record<string, unknown>)[name], path === '' ? name : `${path}.${name}`);
    if (difference !== undefined) return difference;
  }
  return undefined;
}
