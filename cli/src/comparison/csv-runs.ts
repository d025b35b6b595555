import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { z } from 'zod';
import type { DataFolder } from '../evaluation/data-folder.js';
import { UsageError } from '../usage-error.js';
import { isClassified, type LabelledRuns, type Run, type Task } from './runs.js';

/** about.json of a folder of CSV files; every field may be left out. */
const aboutSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]*$/).optional(),
  description: z.string().optional(),
  kinds: z.array(z.string()).min(1).optional(),
  normal: z.string().optional(),
  quantity: z.string().optional(),
  unit: z.string().optional(),
});

/** Columns that are no features. */
const ASIDE: ReadonlySet<string> = new Set(['run', 'asset', 'time', 'label', 'target', 'split']);
const PARTS = ['train', 'validation', 'test'] as const;
const HISTORY = 30;

interface Collected {
  readonly name: string;
  readonly asset: string;
  readonly part: (typeof PARTS)[number] | undefined;
  readonly rows: { readonly time: number; readonly values: Float32Array; readonly truth: string }[];
}

/**
 * Labelled rows in CSV files, plain or .gz, with one heading for all: columns `run` and `asset` (the file's name where left out), `time`
 * (a number or ISO 8601; the order of the file where left out), `label` or `target` (may be empty: not known), `split` (train,
 * validation, test), and features. "<signal>.<feature>" is a feature of a window, "<signal>" a raw value, taken as the mean of a
 * window of its own. Beside them an about.json says name, description, kinds, normal, quantity and unit.
 * @throws UsageError naming file, line and column
 */
export async function readCsvRuns(folder: DataFolder, task: Task): Promise<LabelledRuns> {
  const truthColumn = isClassified(task) ? 'label' : 'target';
  const hash = createHash('sha256');
  const runs = new Map<string, Collected>();
  let features: readonly string[] | undefined;
  for (const file of folder.named(/\.csv$/)) {
    const where = `${folder.path}/${file}`;
    hash.update(await folder.bytes(file));
    const { columns, rows } = await folder.table(file, ',');
    const found = columns.filter((column) => !ASIDE.has(column));
    if (features === undefined) features = found;
    else if (features.join() !== found.join()) throw new UsageError(`${where} has other columns than the files before it (${found.join(', ')}): give all files the same heading.`);
    if (!columns.includes(truthColumn)) throw new UsageError(`${where} has no column "${truthColumn}", which --task ${task} learns: add it, empty where it is not known.`);
    const places = features.map((feature) => columns.indexOf(feature));
    const of = (row: readonly string[], column: string): string | undefined => row[columns.indexOf(column)];
    rows.forEach((row, index) => {
      const line = `${where}, line ${index + 2}`;
      if (row.length !== columns.length) throw new UsageError(`${line} has ${row.length} fields, and the heading has ${columns.length}: fields may hold no commas.`);
      const asset = of(row, 'asset') ?? file.replace(/\.csv$/, '');
      const name = `${asset} ${of(row, 'run') ?? file.replace(/\.csv$/, '')}`;
      const part = of(row, 'split') || undefined;
      if (part !== undefined && !isPart(part)) throw new UsageError(`${line}: split "${part}" is none of ${PARTS.join(', ')}.`);
      let run = runs.get(name);
      if (run === undefined) runs.set(name, (run = { name, asset, part, rows: [] }));
      if (run.part !== part) throw new UsageError(`${line}: run "${name}" is of split "${part ?? ''}" here and of "${run.part ?? ''}" before: give each run one.`);
      run.rows.push({ time: timeOf(of(row, 'time'), run.rows.length, line), values: Float32Array.from(places, (at) => numberOf(row[at]!, line, columns[at]!)), truth: of(row, truthColumn)! });
    });
  }
  if (features === undefined || features.length === 0) throw new UsageError(`${folder.path} holds no CSV files with features: give a folder laid out as docs/models.md, "Training and comparison", says.`);
  const about = await aboutOf(folder);
  const normal = about.normal ?? 'normal';
  const truths = [...runs.values()].flatMap(({ rows }) => rows.map(({ truth }) => truth));
  const labels = isClassified(task) ? [normal, ...[...new Set(truths)].filter((label) => label !== '' && label !== normal).sort()] : [];
  if (isClassified(task) && !truths.includes(normal)) throw new UsageError(`${folder.path}: no row has the label "${normal}" of normal operation: name it in about.json, field normal.`);
  const name = about.name ?? (basename(folder.path).toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '') || 'data');
  return {
    name,
    description: about.description ?? `CSV files of ${name}`,
    kinds: about.kinds ?? [name],
    features: features.map((feature) => (feature.includes('.') ? feature : `${feature}.mean`)),
    labels,
    normal,
    quantity: about.quantity ?? (task === 'rul' ? 'remaining life' : 'quality'),
    unit: about.unit ?? '',
    runs: [...runs.values()].map((run) => runOf(run, features.length, (text) => (text === '' ? NaN : isClassified(task) ? labels.indexOf(text) : Number(text)))),
    sha256: hash.digest('hex'),
    defaults: { history: HISTORY, split: 'run' },
  };
}

const isPart = (text: string): text is (typeof PARTS)[number] => (PARTS as readonly string[]).includes(text);

function runOf({ name, asset, part, rows }: Collected, width: number, truthOf: (text: string) => number): Run {
  const ordered = [...rows].sort((a, b) => a.time - b.time);
  const values = new Float32Array(ordered.length * width);
  ordered.forEach((row, step) => values.set(row.values, step * width));
  return { name, asset, steps: ordered.length, values, truths: Float64Array.from(ordered, ({ truth }) => truthOf(truth)), ...(part === undefined ? {} : { part }) };
}

function timeOf(text: string | undefined, place: number, line: string): number {
  if (text === undefined) return place;
  const time = text.trim() === '' ? NaN : Number.isNaN(Number(text)) ? Date.parse(text) : Number(text);
  if (Number.isNaN(time)) throw new UsageError(`${line}: time "${text}" is neither a number nor a date of ISO 8601.`);
  return time;
}

function numberOf(text: string, line: string, column: string): number {
  if (text === '' || text === 'NaN' || text === 'nan') return NaN;
  const value = Number(text);
  if (Number.isNaN(value)) throw new UsageError(`${line}: "${text}" in column ${column} is no number: leave the field empty where there is no value.`);
  return value;
}

async function aboutOf(folder: DataFolder): Promise<z.output<typeof aboutSchema>> {
  if (!folder.has('about.json')) return {};
  const where = `${folder.path}/about.json`;
  let json: unknown;
  try {
    json = JSON.parse(await folder.text('about.json'));
  } catch (error) {
    throw new UsageError(`${where} is not JSON (${(error as Error).message}): correct it.`);
  }
  const parsed = aboutSchema.safeParse(json);
  if (!parsed.success) throw new UsageError(`${where}, field ${parsed.error.issues[0]!.path.join('.')}: ${parsed.error.issues[0]!.message}; correct it.`);
  return parsed.data;
}
