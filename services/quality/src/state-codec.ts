import type { ControlLimits } from '@millwright/quality';
import type { StateCodec } from '@millwright/streams';
import { kept, type ChartTrack, type QualityState, type StatisticTrack, type TrackPoint } from './state.js';

export const STATE_VERSION = 1;

/**
 * State of an asset as bytes: the length of a JSON text with the names (uint32), the text, padding to 8 bytes, then all
 * numbers in order as float64; little-endian throughout. Lists are preceded by their length.
 */
export const stateCodec: StateCodec<QualityState> = {
  encode(state) {
    // In order of name: which chart came first depends on how the two input topics were interleaved.
    const charts = [...state.charts].sort(([a], [b]) => (a < b ? -1 : 1));
    const names = { charts: charts.map(([name, track]) => [name, track.fingerprint]), silent: [...state.silent] };
    const text = new TextEncoder().encode(JSON.stringify(names));
    const numbers: number[] = [state.newestWindowUs];
    for (const [, track] of charts) writeChart(numbers, track);
    writeStatistic(numbers, state.t2);
    writeStatistic(numbers, state.spe);
    const start = numbersStart(text.length);
    const bytes = new Uint8Array(start + numbers.length * 8);
    new DataView(bytes.buffer).setUint32(0, text.length, true);
    bytes.set(text, 4);
    new Float64Array(bytes.buffer, start).set(numbers);
    return bytes;
  },

  decode(bytes, version) {
    if (version !== STATE_VERSION) {
      throw new Error(`quality state: version ${version} is not ${STATE_VERSION}, the one known here: run the release that wrote it, or drop the checkpoint to rebuild it from the log`);
    }
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    const names = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))) as { charts: [string, string][]; silent: string[] };
    const numbers = new Numbers(new Float64Array(bytes.slice(numbersStart(length)).buffer));
    const newestWindowUs = numbers.next();
    const charts = new Map(names.charts.map(([name, fingerprint]) => [name, readChart(numbers, fingerprint)]));
    return { charts, t2: readStatistic(numbers), spe: readStatistic(numbers), silent: new Set(names.silent), newestWindowUs };
  },
};

const numbersStart = (textLength: number): number => Math.ceil((4 + textLength) / 8) * 8;

class Numbers {
  private position = 0;
  constructor(private readonly values: Float64Array) {}

  next(): number {
    const value = this.values[this.position++];
    if (value === undefined) throw new Error('quality state: it ends too early');
    return value;
  }

  list<T>(read: () => T): T[] {
    const length = this.next();
    if (!(Number.isInteger(length) && length >= 0 && length <= this.values.length)) throw new Error(`quality state: a list of ${length} does not fit in it`);
    return Array.from({ length }, read);
  }
}

function writeChart(numbers: number[], { state, points, outOfControl, incapable }: ChartTrack): void {
  numbers.push(Number(outOfControl), Number(incapable), state.previous, state.subgroups, state.locationSum, state.dispersionSum);
  numbers.push(state.pending.length, ...state.pending, state.memory.length, ...state.memory);
  numbers.push(Number(state.limits !== undefined));
  if (state.limits) {
    const { sigma, location, dispersion } = state.limits;
    numbers.push(sigma, location.center, location.lower, location.upper, dispersion.center, dispersion.lower, dispersion.upper);
  }
  const shown = kept(points);
  numbers.push(shown.length);
  for (const { timeUs, value, squares, rules } of shown) numbers.push(timeUs, value, squares, rules.reduce((bits, rule) => bits | (1 << rule), 0));
}

function readChart(numbers: Numbers, fingerprint: string): ChartTrack {
  const next = (): number => numbers.next();
  const outOfControl = next() === 1;
  const incapable = next() === 1;
  const state = {
    previous: next(),
    subgroups: next(),
    locationSum: next(),
    dispersionSum: next(),
    pending: numbers.list(next),
    memory: numbers.list(next),
    limits: next() === 1 ? readLimits(next) : undefined,
  };
  const points = numbers.list((): TrackPoint => ({ timeUs: next(), value: next(), squares: next(), rules: rulesOf(next()) }));
  return { fingerprint, state, points, outOfControl, incapable };
}

function readLimits(next: () => number): ControlLimits {
  return {
    sigma: next(),
    location: { center: next(), lower: next(), upper: next() },
    dispersion: { center: next(), lower: next(), upper: next() },
  };
}

const rulesOf = (bits: number): number[] => [1, 2, 3, 4, 5, 6, 7, 8].filter((rule) => bits & (1 << rule));

function writeStatistic(numbers: number[], { points, over }: StatisticTrack): void {
  const shown = kept(points);
  numbers.push(Number(over), shown.length);
  for (const { timeUs, value } of shown) numbers.push(timeUs, value);
}

function readStatistic(numbers: Numbers): StatisticTrack {
  const over = numbers.next() === 1;
  return { over, points: numbers.list(() => ({ timeUs: numbers.next(), value: numbers.next() })) };
}
