import { Encoding, packFloat64, type SourceStep, type TelemetryBlock } from '@millwright/contracts';
import { suggestion, type Asset, type Plant, type Signal } from '@millwright/plant';
import type { Layout } from './layout.js';
import { Instant, type Cell, type TableRow } from './table.js';
import { parseTime } from './time.js';

const MOST_SAMPLES = 1024;
/** Rows of the same second of event time go into one step; slower data goes a row at a time. */
const STEP_US = 1e6;

/** Samples of one asset that will become one block. */
interface Group {
  readonly asset: Asset;
  readonly timesUs: Float64Array;
  /** One array per entry of `signals`. */
  readonly values: readonly Float64Array[];
  readonly signals: readonly Signal[];
  /** Column of each signal. */
  readonly columns: readonly number[];
  /** Time that a sample stands for: as the replay section says where there is no time column, else by the fastest signal of the kind. */
  readonly intervalUs: number;
  count: number;
}

/** Turns rows into steps. Rows come in by add(), which gives the step that the row completes, if it does. */
export class StepBuilder {
  readonly #groups = new Map<string, Group>();
  readonly #sequences = new Map<string, number>();
  readonly #row: Float64Array;
  #blocks: TelemetryBlock[] = [];
  #rows = 0;
  #pending = 0;
  #bucket = -Infinity;
  #lastUs = -Infinity;
  #nominalUs = Infinity;
  #advanceToUs = -Infinity;

  constructor(
    private readonly source: string,
    private readonly plant: Plant,
    private readonly layout: Layout,
  ) {
    this.#row = new Float64Array(layout.names.length);
  }

  /** Takes a row. A row with a mistake is left out whole and `refuse` is told why. */
  add({ cells, broken }: TableRow, refuse: (reason: string) => void): SourceStep | undefined {
    this.#rows++;
    const { names, timeColumn, assetColumn } = this.layout;
    if (broken !== undefined) return void refuse(broken);
    if (cells.length !== names.length) return void refuse(`has ${cells.length} cells where there are ${names.length} columns`);

    const timeUs = timeColumn === undefined ? this.plant.replay!.startUs + (this.#rows - 1) * this.plant.replay!.intervalUs : parseTime(cells[timeColumn]);
    if (timeUs === undefined) return void refuse(`${names[timeColumn!]!}: ${show(cells[timeColumn!])} is not a time; write ISO 8601 or a number of seconds since 1970`);
    const id = assetColumn === undefined ? undefined : String(cells[assetColumn] ?? '').trim();
    const asset = id === undefined ? this.layout.asset! : this.plant.assets.get(id);
    if (asset === undefined) return void refuse(`there is no asset ${id!}; ${suggestion(id!, this.plant.assets.keys())}`);
    const group = this.#groupOf(asset);
    const reason = this.#parse(cells, group);
    if (reason !== undefined) return void refuse(reason);

    const bucket = Math.floor(timeUs / STEP_US);
    const step = this.#pending > 0 && (bucket !== this.#bucket || this.#pending === MOST_SAMPLES) ? this.#flush(timeUs, this.#rows - 1) : undefined;
    this.#bucket = bucket;
    // Within a block time ascends: a row that goes back in time begins another.
    if (group.count > 0 && timeUs <= group.timesUs[group.count - 1]!) this.#close(group);
    group.timesUs[group.count] = timeUs;
    for (let i = 0; i < group.columns.length; i++) group.values[i]![group.count] = this.#row[group.columns[i]!]!;
    group.count++;
    this.#pending++;
    this.#lastUs = Math.max(this.#lastUs, timeUs);
    this.#nominalUs = group.intervalUs;
    return step;
  }

  /** What is left when the file has ended. */
  end(): SourceStep | undefined {
    return this.#pending > 0 ? this.#flush(Infinity, this.#rows) : undefined;
  }

  /** Reads the signals of a row into #row; the reason where one is wrong. */
  #parse(cells: readonly Cell[], group: Group): string | undefined {
    for (const column of this.layout.signalColumns) {
      const value = parseValue(cells[column]);
      if (value === undefined) return `${this.layout.names[column]!}: ${show(cells[column])} is not a number; write one, or leave the cell empty where a sample is missing`;
      this.#row[column] = value;
      if (!Number.isNaN(value) && !group.columns.includes(column)) {
        return `${this.layout.names[column]!}: asset ${group.asset.id} of kind ${group.asset.kind.name} has no such signal; leave the cell empty`;
      }
    }
    const rejecting = group.signals.findIndex((signal, i) => signal.nan === 'reject' && Number.isNaN(this.#row[group.columns[i]!]!));
    return rejecting === -1 ? undefined : `${group.signals[rejecting]!.name}: the value is missing, and this signal takes no missing samples (nan: reject)`;
  }

  #groupOf(asset: Asset): Group {
    const known = this.#groups.get(asset.id);
    if (known) return known;
    const byName = new Map(asset.kind.signals.map((signal) => [signal.name, signal]));
    const columns = this.layout.signalColumns.filter((column) => byName.has(this.layout.names[column]!));
    const signals = columns.map((column) => byName.get(this.layout.names[column]!)!);
    const group: Group = {
      asset,
      timesUs: new Float64Array(MOST_SAMPLES),
      values: signals.map(() => new Float64Array(MOST_SAMPLES)),
      signals,
      columns,
      intervalUs: this.layout.timeColumn === undefined ? this.plant.replay!.intervalUs : 1e6 / Math.max(...asset.kind.signals.map(({ rateHz }) => rateHz)),
      count: 0,
    };
    this.#groups.set(asset.id, group);
    return group;
  }

  #flush(nextUs: number, row: number): SourceStep {
    for (const group of this.#groups.values()) this.#close(group);
    this.#advanceToUs = Math.max(this.#advanceToUs, Math.min(nextUs, this.#lastUs + this.#nominalUs));
    const step = { blocks: this.#blocks, production: [], advanceToUs: this.#advanceToUs, row };
    this.#blocks = [];
    this.#pending = 0;
    return step;
  }

  /** Makes a block of a group's samples. Signals of which it has none are left out, so that they show as silent. */
  #close(group: Group): void {
    const { asset, count, timesUs } = group;
    group.count = 0;
    if (count === 0) return;
    const signals = group.signals.flatMap(({ name, unit }, i) => {
      const values = group.values[i]!.slice(0, count);
      return values.every(Number.isNaN) ? [] : [{ signal: name, unit, encoding: Encoding.FLOAT64, values: packFloat64(values) }];
    });
    if (signals.length === 0) return;
    const startUs = timesUs[0]!;
    const intervalUs = count > 1 ? (timesUs[count - 1]! - startUs) / (count - 1) : group.intervalUs;
    let regular = true;
    for (let i = 1; i < count; i++) regular &&= Math.abs(timesUs[i]! - startUs - i * intervalUs) <= 1;
    const sequence = (this.#sequences.get(asset.id) ?? 0) + 1;
    this.#sequences.set(asset.id, sequence);
    this.#blocks.push({
      source: this.source,
      sequence,
      asset: asset.id,
      startUs,
      intervalUs,
      count,
      offsetsUs: regular ? new Uint8Array(0) : packFloat64(timesUs.slice(0, count).map((t) => t - startUs)),
      signals,
    });
  }
}

/** A cell as a number: NaN where it is empty, undefined where it is no number. A decimal comma is understood. */
function parseValue(cell: Cell): number | undefined {
  if (cell === null || cell === undefined) return NaN;
  if (typeof cell === 'bigint') return Number(cell);
  if (typeof cell === 'boolean') return cell ? 1 : 0;
  if (cell instanceof Instant) return undefined;
  if (typeof cell === 'number') return Number.isFinite(cell) || Number.isNaN(cell) ? cell : undefined;
  const text = cell.trim();
  if (text === '' || /^([-+]?nan|na|null)$/i.test(text)) return NaN;
  const value = Number(/^[-+]?\d+,\d+(e[-+]?\d+)?$/i.test(text) ? text.replace(',', '.') : text);
  return Number.isFinite(value) ? value : undefined;
}

function show(cell: Cell): string {
  const text = cell instanceof Instant ? new Date(cell.us / 1000).toISOString() : String(cell ?? '');
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
