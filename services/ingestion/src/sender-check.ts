import { suggestion, type Asset, type Plant } from '@millwright/plant';
import { quoted, type Problems } from './refusal.js';

export interface CheckOptions {
  /** Milliseconds since the epoch now. */
  readonly now: () => number;
  /** How far event time may be ahead of the clock here; the past is free, since old data may be replayed. Infinity for simulated time. */
  readonly maxAheadMs: number;
}

/** Longest source and asset names: they are headers and keys of every record. */
const MAX_SOURCE = 200;

/** What blocks and production records have in common: source, sequence and asset. Returns the asset where it is known. */
export function checkSender(record: { source: string; sequence: number; asset: string }, plant: Plant, problems: Problems): Asset | undefined {
  checkSource(record.source, problems);
  if (record.sequence < 1) problems.add('sequence', 'INVALID_SEQUENCE', 'sequence is 0; count what this source sends of this asset, from 1 without gaps.');
  const asset = plant.assets.get(record.asset);
  if (asset === undefined) {
    problems.add('asset', 'UNKNOWN_ASSET', `The plant file has no asset ${quoted(record.asset)}; ${suggestion(record.asset, plant.assets.keys())}`);
  }
  return asset;
}

/** The name of a sender. */
export function checkSource(source: string, problems: Problems): void {
  if (source === '' || source.length > MAX_SOURCE) {
    problems.add('source', 'INVALID_SOURCE', `source has ${source.length} characters; name the sender in 1 to ${MAX_SOURCE}, the same for ever.`);
  }
}

/** Event times from `firstUs` to `lastUs` must be positive and not ahead of the clock. */
export function checkTime(field: string, firstUs: number, lastUs: number, { now, maxAheadMs }: CheckOptions, problems: Problems): void {
  if (firstUs < 0) problems.add(field, 'INVALID_TIME', `${field} is ${firstUs}; give microseconds since 1970-01-01T00:00:00Z.`);
  const aheadMs = lastUs / 1000 - now();
  if (aheadMs > maxAheadMs) {
    const seconds = Math.round(aheadMs / 1000);
    problems.add(field, 'CLOCK_AHEAD', `It reaches ${seconds} s ahead of the clock here, where ${maxAheadMs / 1000} s are allowed; set the sender's clock, and check that ${field} is in microseconds.`);
  }
}
