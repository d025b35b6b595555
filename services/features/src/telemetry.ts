import { Encoding, TelemetryBlock, unpackFloat32, unpackFloat64, type SignalValues } from '@millwright/contracts';
import { suggestion, type Plant } from '@millwright/plant';
import { PoisonRecordError, type LogRecord } from '@millwright/streams';
import type { Run } from './run.js';
import type { Values } from './sample-buffer.js';

/**
 * The block of a record, checked as far as windows depend on it: ingestion has judged it, but other writers may not.
 * @throws PoisonRecordError naming the field that is wrong
 */
export function readBlock(record: LogRecord, plant: Plant): TelemetryBlock {
  const block = TelemetryBlock.decode(record.value);
  const { asset: id, count, intervalUs, offsetsUs } = block;
  if (id !== record.key) throw new PoisonRecordError(`asset: the block is of "${id}" but its record has the key "${record.key}"; write blocks under the id of their asset`);
  const asset = plant.assets.get(id);
  if (asset === undefined) throw new PoisonRecordError(`asset: "${id}" is not in the plant file of ${plant.name}; ${suggestion(id, plant.assets.keys())}`);
  if (count === 0) throw new PoisonRecordError(`count: the block of ${id} has no samples; send at least one`);
  if (!Number.isSafeInteger(block.startUs)) throw new PoisonRecordError(`start_us: ${block.startUs} of ${id} is no time in microseconds`);
  if (offsetsUs.length === 0) {
    if (count > 1 && !(intervalUs > 0 && intervalUs < Infinity)) throw new PoisonRecordError(`interval_us: ${intervalUs} of ${id} is not the time between samples; give microseconds above 0, or offsets_us`);
  } else checkOffsets(block);
  const seen = new Set<string>();
  for (const values of block.signals) {
    const { signal } = values;
    if (!asset.kind.signals.some(({ name }) => name === signal)) {
      throw new PoisonRecordError(`signals: ${id} (${asset.kind.name}) has no signal "${signal}"; ${suggestion(signal, asset.kind.signals.map(({ name }) => name))}`);
    }
    if (seen.has(signal)) throw new PoisonRecordError(`signals: ${id} has "${signal}" twice in one block; send each signal once`);
    seen.add(signal);
    checkValues(id, values, count);
  }
  return block;
}

function checkOffsets({ asset, count, offsetsUs }: TelemetryBlock): void {
  if (offsetsUs.length !== count * 8) throw new PoisonRecordError(`offsets_us: ${asset} sends ${offsetsUs.length} bytes for ${count} samples; give a float64 each`);
  let previous = -Infinity;
  for (const offset of unpackFloat64(offsetsUs)) {
    if (!(offset >= previous && Number.isSafeInteger(Math.round(offset)))) throw new PoisonRecordError(`offsets_us: ${offset} after ${previous} in the block of ${asset}; offsets are microseconds and ascend`);
    previous = offset;
  }
}

function checkValues(asset: string, { signal, encoding, values }: SignalValues, count: number): void {
  const width = encoding === Encoding.FLOAT32 ? 4 : encoding === Encoding.FLOAT64 ? 8 : undefined;
  if (width === undefined) throw new PoisonRecordError(`encoding: ${encoding} of "${signal}" of ${asset} is unknown; give ENCODING_FLOAT32 (1) or ENCODING_FLOAT64 (2)`);
  if (values.length !== count * width) throw new PoisonRecordError(`values: "${signal}" of ${asset} has ${values.length} bytes for ${count} samples; give ${width} each`);
}

/** When the samples of a block were taken. */
export function runOf({ startUs, intervalUs, count, offsetsUs }: TelemetryBlock): Run {
  if (offsetsUs.length === 0) return { originUs: startUs, intervalUs, first: 0, count };
  return { originUs: startUs, intervalUs: 0, times: unpackFloat64(offsetsUs).map((offset) => Math.round(startUs + offset)), first: 0, count };
}

/** For samples that are not aligned in their record: enough for blocks of usual size. */
const scratch = new ArrayBuffer(65_536);

/** The samples of a signal, valid until the next call: a view where the bytes are aligned. */
export function valuesOf({ encoding, values }: SignalValues): Values {
  return encoding === Encoding.FLOAT32 ? unpackFloat32(values, scratch) : unpackFloat64(values, scratch);
}
