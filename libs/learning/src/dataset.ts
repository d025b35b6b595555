/** Labelled windows in time order within each run: one row a window, one column a feature. */
export interface Dataset {
  readonly features: readonly string[];
  readonly labels: readonly string[];
  /** [rows, features], row by row; NaN where there is no value. */
  readonly values: Float64Array;
  /** Index into `labels`, one a row. */
  readonly classes: Int32Array;
  /** Which run (file, machine, campaign) a row comes from. Rows of one run resemble each other, so splits must respect runs. */
  readonly runs: Int32Array;
  readonly rows: number;
}

/** Collects windows into a Dataset. */
export class DatasetBuilder {
  readonly #rows: Float64Array[] = [];
  readonly #classes: number[] = [];
  readonly #runs: number[] = [];

  constructor(
    readonly features: readonly string[],
    readonly labels: readonly string[],
  ) {}

  /** @throws RangeError for an unknown label or a row of another width. */
  add(row: Float64Array, label: string, run: number): void {
    const index = this.labels.indexOf(label);
    if (index < 0) throw new RangeError(`label "${label}" is not among ${this.labels.join(', ')}`);
    if (row.length !== this.features.length) throw new RangeError(`${row.length} values for ${this.features.length} features`);
    this.#rows.push(row);
    this.#classes.push(index);
    this.#runs.push(run);
  }

  build(): Dataset {
    const width = this.features.length;
    const values = new Float64Array(this.#rows.length * width);
    this.#rows.forEach((row, index) => values.set(row, index * width));
    return { features: this.features, labels: this.labels, values, classes: Int32Array.from(this.#classes), runs: Int32Array.from(this.#runs), rows: this.#rows.length };
  }
}

/** The rows whose index is in `rows`, in that order. */
export function subset(data: Dataset, rows: readonly number[]): Dataset {
  const width = data.features.length;
  const values = new Float64Array(rows.length * width);
  rows.forEach((row, index) => values.set(data.values.subarray(row * width, (row + 1) * width), index * width));
  return { ...data, values, classes: Int32Array.from(rows, (row) => data.classes[row]!), runs: Int32Array.from(rows, (row) => data.runs[row]!), rows: rows.length };
}

/** Only the named features, in the order given. @throws RangeError for one that the data does not have. */
export function select(data: Dataset, features: readonly string[]): Dataset {
  const columns = features.map((feature) => {
    const column = data.features.indexOf(feature);
    if (column < 0) throw new RangeError(`the data has no feature "${feature}"`);
    return column;
  });
  const width = data.features.length;
  const values = new Float64Array(data.rows * columns.length);
  for (let row = 0; row < data.rows; row++) {
    for (let i = 0; i < columns.length; i++) values[row * columns.length + i] = data.values[row * width + columns[i]!]!;
  }
  return { ...data, features, values };
}

export interface Split {
  readonly train: Dataset;
  readonly validation: Dataset;
}

/** Whole runs go to one side: `validationRuns` to validation, the others to training. */
export function splitByRun(data: Dataset, validationRuns: ReadonlySet<number>): Split {
  const rows = Array.from({ length: data.rows }, (_, row) => row);
  return {
    train: subset(data, rows.filter((row) => !validationRuns.has(data.runs[row]!))),
    validation: subset(data, rows.filter((row) => validationRuns.has(data.runs[row]!))),
  };
}

export interface Blocks {
  /** Rows of a run from the beginning of one held block to the beginning of the next. */
  readonly period: number;
  /** Rows of each block that go to validation: the last ones of the period. */
  readonly held: number;
  /** Rows on either side of a held block that go to neither, since overlapping windows would let validation see training data. */
  readonly gap: number;
}

/** Takes blocks of time out of every run for validation, all along it, since a run may change as it goes on. */
export function splitByBlocks(data: Dataset, { period, held, gap }: Blocks): Split {
  const train: number[] = [];
  const validation: number[] = [];
  const positions = new Map<number, number>();
  for (let row = 0; row < data.rows; row++) {
    const run = data.runs[row]!;
    const position = positions.get(run) ?? 0;
    positions.set(run, position + 1);
    const phase = position % period;
    if (phase >= period - held) validation.push(row);
    else if (phase < period - held - gap && (position < period || phase >= gap)) train.push(row);
  }
  return { train: subset(data, train), validation: subset(data, validation) };
}
