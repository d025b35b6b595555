/** What normal operation of an asset kind looks like: a PCA model of its features with the limits of T² and SPE. */
export interface MonitorBaseline {
  readonly format: 1;
  readonly kind: string;
  /** Names of the p features, in the order of the arrays below. */
  readonly features: readonly string[];
  /** Mean and standard deviation of each feature; features are standardised by them. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** k principal directions of p coefficients each, by falling eigenvalue. */
  readonly loadings: readonly (readonly number[])[];
  /** The k eigenvalues of the correlation matrix that belong to them. */
  readonly eigenvalues: readonly number[];
  readonly t2Limit: number;
  readonly speLimit: number;
  /** False alarm probability of one window that the limits were set for. */
  readonly alpha: number;
  /** Number of feature vectors that the model was fitted on. */
  readonly count: number;
  /** SHA-256 of the telemetry that they came from, hexadecimal. */
  readonly dataSha256: string;
}

/** A baseline file that can't be used: file, field and remedy in one sentence. */
export class BaselineError extends Error {
  override readonly name = 'BaselineError';
  readonly badInput = true;
}

/** The text of a baseline file: JSON, one direction a line. */
export function formatMonitorBaseline(baseline: MonitorBaseline): string {
  const lines = Object.entries(baseline).map(([field, value]: [string, unknown]) => {
    const text = field === 'loadings' ? `[\n    ${baseline.loadings.map((row) => JSON.stringify(row)).join(',\n    ')}\n  ]` : JSON.stringify(value);
    return `  ${JSON.stringify(field)}: ${text}`;
  });
  return `{\n${lines.join(',\n')}\n}\n`;
}

/**
 * Reads a baseline file.
 * @param text contents of the file
 * @param file its name, for the messages
 * @throws BaselineError when it is not a baseline of this format
 */
export function parseMonitorBaseline(text: string, file: string): MonitorBaseline {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw refusal(file, `is not JSON (${(error as Error).message.replace(/\s+/g, ' ')})`);
  }
  if (typeof json !== 'object' || json === null) throw refusal(file, 'holds no JSON object');
  const read = new Fields(json as Record<string, unknown>, file);

  if (read.fields['format'] !== 1) throw refusal(file, `format: ${JSON.stringify(read.fields['format'])} is not 1, the one format known here`);
  const features = read.strings('features');
  const p = features.length;
  const eigenvalues = read.numbers('eigenvalues', undefined, positive);
  const k = eigenvalues.length;
  if (k === 0 || k >= p) throw refusal(file, `eigenvalues: ${k} components of ${p} features; there must be at least one and fewer than features`);
  return {
    format: 1,
    kind: read.string('kind'),
    features,
    mean: read.numbers('mean', p),
    std: read.numbers('std', p, positive),
    loadings: read.rows('loadings', k, p),
    eigenvalues,
    t2Limit: read.number('t2Limit', positive),
    speLimit: read.number('speLimit', positive),
    alpha: read.number('alpha', positive),
    count: read.number('count', positive),
    dataSha256: read.string('dataSha256'),
  };
}

interface Range {
  readonly description: string;
  readonly holds: (value: number) => boolean;
}
const finite: Range = { description: 'a number', holds: Number.isFinite };
const positive: Range = { description: 'a number above 0', holds: (value) => Number.isFinite(value) && value > 0 };

class Fields {
  constructor(
    readonly fields: Readonly<Record<string, unknown>>,
    private readonly file: string,
  ) {}

  string(field: string): string {
    const value = this.fields[field];
    if (typeof value !== 'string' || value === '') throw this.wrong(field, value, 'a text');
    return value;
  }

  strings(field: string): string[] {
    const value = this.fields[field];
    if (!Array.isArray(value) || value.length === 0 || value.some((entry) => typeof entry !== 'string')) throw this.wrong(field, value, 'a list of texts');
    return value as string[];
  }

  number(field: string, range: Range): number {
    return this.checked(field, this.fields[field], range);
  }

  numbers(field: string, length: number | undefined, range = finite): number[] {
    return this.list(field, this.fields[field], length, range);
  }

  rows(field: string, rows: number, columns: number): number[][] {
    const value = this.fields[field];
    if (!Array.isArray(value) || value.length !== rows) throw this.wrong(field, value, `a list of ${rows} lists`);
    return value.map((row: unknown, i) => this.list(`${field}[${i}]`, row, columns, finite));
  }

  private list(path: string, value: unknown, length: number | undefined, range: Range): number[] {
    if (!Array.isArray(value) || (length !== undefined && value.length !== length)) {
      throw this.wrong(path, value, `a list of ${length === undefined ? '' : `${length} `}numbers`);
    }
    return value.map((entry: unknown, i) => this.checked(`${path}[${i}]`, entry, range));
  }

  private checked(path: string, value: unknown, range: Range): number {
    if (typeof value !== 'number' || !range.holds(value)) throw this.wrong(path, value, range.description);
    return value;
  }

  private wrong(path: string, value: unknown, wanted: string): BaselineError {
    const found = value === undefined ? 'missing' : Array.isArray(value) ? `a list of ${value.length}` : JSON.stringify(value);
    return refusal(this.file, `${path}: is ${found}, not ${wanted}`);
  }
}

function refusal(file: string, problem: string): BaselineError {
  return new BaselineError(`${file}: ${problem}: make it again with \`millwright quality baseline\``);
}
