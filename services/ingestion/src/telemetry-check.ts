import { Encoding, unpackFloat32, unpackFloat64, type SignalValues, type TelemetryBlock } from '@millwright/contracts';
import { suggestion, type Asset, type Plant, type Signal } from '@millwright/plant';
import { checkSender, checkTime, type CheckOptions } from './sender-check.js';
import { quoted, type Problems } from './refusal.js';

/** Largest encoded block; a record of the log should be some KiB. */
export const MAX_BLOCK_BYTES = 512 * 1024;

const BYTES_PER_SAMPLE: Readonly<Record<number, number>> = { [Encoding.FLOAT32]: 4, [Encoding.FLOAT64]: 8 };

/** Judges telemetry blocks by the plant file. Pure but for the clock that it is given. */
export class TelemetryCheck {
  readonly #signals = new Map<Asset['kind'], ReadonlyMap<string, Signal>>();
  /** For values that are not aligned in their message: they are looked at once and not kept. */
  readonly #scratch = new ArrayBuffer(MAX_BLOCK_BYTES);

  constructor(
    private readonly plant: Plant,
    private readonly options: CheckOptions,
  ) {
    for (const kind of plant.kinds.values()) this.#signals.set(kind, new Map(kind.signals.map((signal) => [signal.name, signal])));
  }

  check(block: TelemetryBlock, bytes: number, problems: Problems): void {
    if (bytes > MAX_BLOCK_BYTES) {
      problems.add('', 'BLOCK_TOO_LARGE', `The block has ${bytes} bytes and at most ${MAX_BLOCK_BYTES} are taken; send fewer samples in a block.`);
      return;
    }
    const asset = checkSender(block, this.plant, problems);
    const lastUs = this.#checkTimes(block, problems);
    checkTime('start_us', block.startUs, lastUs, this.options, problems);
    if (block.signals.length === 0) problems.add('signals', 'NO_SIGNALS', 'The block has no signals; send at least one.');
    if (asset === undefined) return;
    const signals = this.#signals.get(asset.kind)!;
    const seen = new Set<string>();
    for (const [i, values] of block.signals.entries()) {
      const field = `signals[${i}]`;
      const signal = signals.get(values.signal);
      if (signal === undefined) {
        problems.add(`${field}.signal`, 'UNKNOWN_SIGNAL', `${asset.id} (${asset.kind.name}) has no signal ${quoted(values.signal)}; ${suggestion(values.signal, signals.keys())}`);
      } else if (seen.has(signal.name)) {
        problems.add(`${field}.signal`, 'DUPLICATE_SIGNAL', `The block has ${signal.name} twice; send each signal once in a block.`);
      } else {
        seen.add(signal.name);
        checkValues(values, signal, block.count, field, problems, this.#scratch);
      }
    }
  }

  /** Returns the time of the last sample, as far as it can be told. */
  #checkTimes({ startUs, intervalUs, count, offsetsUs }: TelemetryBlock, problems: Problems): number {
    if (count === 0) problems.add('count', 'NO_SAMPLES', 'count is 0; send at least one sample, or no block at all.');
    if (offsetsUs.length === 0) {
      if (intervalUs > 0 && Number.isFinite(intervalUs)) return startUs + Math.max(0, count - 1) * intervalUs;
      problems.add('interval_us', 'INVALID_INTERVAL', `interval_us is ${intervalUs}; give the microseconds between samples, above 0, or offsets_us.`);
      return startUs;
    }
    if (offsetsUs.length !== count * 8) {
      problems.add('offsets_us', 'LENGTH_MISMATCH', `offsets_us has ${offsetsUs.length} bytes but count is ${count}; give ${count * 8} bytes: one float64 a sample.`);
      return startUs;
    }
    const offsets = unpackFloat64(offsetsUs);
    let previous = 0;
    for (let i = 0; i < offsets.length; i++) {
      const offset = offsets[i]!;
      if (!(offset >= previous && offset < Infinity)) {
        problems.add(`offsets_us[${i}]`, 'INVALID_OFFSETS', `offsets_us[${i}] is ${offset} after ${previous}; offsets count from start_us, at least 0, and ascend.`);
        return startUs + previous;
      }
      previous = offset;
    }
    return startUs + previous;
  }
}

function checkValues(values: SignalValues, signal: Signal, count: number, field: string, problems: Problems, scratch: ArrayBuffer): void {
  if (values.unit !== '' && values.unit !== signal.unit) {
    problems.add(`${field}.unit`, 'UNIT_MISMATCH', `${signal.name} is measured in ${quoted(signal.unit)}, not ${quoted(values.unit)}; convert the values, or correct the plant file.`);
    return;
  }
  const width = BYTES_PER_SAMPLE[values.encoding];
  if (width === undefined) {
    problems.add(`${field}.encoding`, 'UNKNOWN_ENCODING', `encoding is ${values.encoding}; give ENCODING_FLOAT32 (1) or ENCODING_FLOAT64 (2).`);
    return;
  }
  if (values.values.length !== count * width) {
    problems.add(`${field}.values`, 'LENGTH_MISMATCH', `${signal.name} has ${values.values.length} bytes of values but count is ${count}; give ${count * width} bytes: ${width} a sample.`);
    return;
  }
  const samples = width === 4 ? unpackFloat32(values.values, scratch) : unpackFloat64(values.values, scratch);
  const bad = samples instanceof Float32Array && areWithin(samples, signal.min, signal.max) ? -1 : firstBad(samples, signal);
  if (bad === -1) return;
  const at = `${field}.values[${bad}]`;
  const value = samples[bad]!;
  if (Number.isNaN(value)) {
    problems.add(at, 'NAN_NOT_ALLOWED', `${signal.name} has NaN at sample ${bad} and the plant file rejects missing samples; leave the sample out, or set nan: missing for the signal.`);
  } else {
    problems.add(at, 'OUT_OF_RANGE', `${signal.name} is ${value} at sample ${bad}, and ${signal.min} to ${signal.max} ${signal.unit} is possible; check sensor and scaling, or correct the plant file.`);
  }
}

/**
 * Whether all samples are in the range. Nearly all blocks are float32 and good: this loop, which sees nothing else and takes four samples
 * a step, costs a quarter of firstBad, which was the dearest part of ingestion.
 */
function areWithin(samples: Float32Array, min: number, max: number): boolean {
  let i = 0;
  for (; i + 4 <= samples.length; i += 4) {
    const a = samples[i]!;
    const b = samples[i + 1]!;
    const c = samples[i + 2]!;
    const d = samples[i + 3]!;
    if (!(a >= min && a <= max && b >= min && b <= max && c >= min && c <= max && d >= min && d <= max)) return false;
  }
  for (; i < samples.length; i++) if (!(samples[i]! >= min && samples[i]! <= max)) return false;
  return true;
}

/** Index of the first sample that is outside the range, or NaN where that is refused; -1 when there is none. */
function firstBad(samples: Float32Array | Float64Array, { min, max, nan }: Signal): number {
  for (let i = 0; i < samples.length; i++) {
    const value = samples[i]!;
    // One comparison for good samples; NaN fails it too.
    if (!(value >= min && value <= max) && (nan === 'reject' || value === value)) return i;
  }
  return -1;
}
