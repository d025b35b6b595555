import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Windows } from '@millwright/learning';
import { UsageError } from '../usage-error.js';
import { isClassified, type LabelledRuns, type SplitKind, type Task } from './runs.js';
import { PARTS, partsOf } from './split.js';

/** Windows that all models of a comparison are trained and judged on. */
export interface Prepared {
  readonly task: Task;
  readonly source: LabelledRuns;
  readonly split: SplitKind;
  readonly seed: number;
  readonly windows: Windows;
  /** Index into labels, or target; -1 where a label is not known, which only pre-training sees. */
  readonly truths: Float32Array;
  /** 0 train, 1 validation, 2 test, by window. */
  readonly parts: Uint8Array;
  /** Index into source.runs, by window; windows of a run are in time order. */
  readonly runs: Int32Array;
  /** Rows that no window ends at, since its history crosses the beginning of a run or a boundary between parts. */
  readonly dropped: number;
  /** Command that trains it again. */
  readonly command: string;
}

/** Windows of a batch in every package. */
export const BATCH = 32;
/** Share of truths that intervals are to hold. */
export const COVERAGE = 0.9;

export interface PrepareOptions {
  readonly task: Task;
  readonly split: SplitKind;
  readonly history: number;
  readonly seed: number;
  readonly command: string;
}

/**
 * Divides rows into parts and makes a window of each row and the `history - 1` before it, of its own run and part.
 * An anomaly model is to know normal operation only, so that other rows of training and validation are left out.
 * @throws UsageError where a part has nothing to show
 */
export function prepare(source: LabelledRuns, { task, split, history, seed, command }: PrepareOptions): Prepared {
  const width = source.features.length;
  const byRun = partsOf(source, split, seed);
  const kept: { run: number; step: number; truth: number; part: number }[] = [];
  let dropped = 0;
  source.runs.forEach(({ steps, truths }, run) => {
    const parts = byRun[run]!;
    for (let step = 0; step < steps; step++) {
      const part = parts[step]!;
      const truth = truths[step]!;
      if (Number.isNaN(truth) && !(task === 'diagnosis' && part === 0)) continue;
      if (task === 'anomaly' && part !== 2 && truth !== 0) continue;
      if (step + 1 < history || parts[step + 1 - history] !== part) {
        if (!Number.isNaN(truth)) dropped++;
        continue;
      }
      kept.push({ run, step, truth: Number.isNaN(truth) ? -1 : truth, part });
    }
  });
  const values = new Float32Array(kept.length * history * width);
  kept.forEach(({ run, step }, row) => values.set(source.runs[run]!.values.subarray((step + 1 - history) * width, (step + 1) * width), row * history * width));
  const prepared: Prepared = {
    task,
    source,
    split,
    seed,
    windows: { features: source.features, history, values, rows: kept.length },
    truths: Float32Array.from(kept, ({ truth }) => truth),
    parts: Uint8Array.from(kept, ({ part }) => part),
    runs: Int32Array.from(kept, ({ run }) => run),
    dropped,
    command,
  };
  PARTS.forEach((name, part) => {
    if (rowsOf(prepared, part).length === 0) throw new UsageError(`The ${name} part has no window of ${history} rows (${dropped} rows were left out at the beginnings of runs and parts): give longer runs, or a shorter --history.`);
  });
  return prepared;
}

/** Indices of the labelled windows of a part. */
export function rowsOf({ parts, truths, task }: Prepared, part: number): number[] {
  return [...parts.keys()].filter((row) => parts[row] === part && !(isClassified(task) && truths[row]! < 0));
}

/** Writes the windows as docs/models.md lays datasets out, for trainers that are processes of their own. @param name of the model's package */
export async function writeDataset(folder: string, name: string, version: string, { task, source, windows, truths, parts, runs, command }: Prepared): Promise<void> {
  await mkdir(folder, { recursive: true });
  const about = {
    format: 'millwright-dataset/1',
    task: task === 'rul' || task === 'quality' ? 'regression' : task,
    name,
    version,
    kinds: source.kinds,
    features: source.features,
    history: windows.history,
    ...(task === 'diagnosis' ? { labels: source.labels, normal: source.normal } : {}),
    ...(isClassified(task) ? {} : { quantity: source.quantity, unit: source.unit, coverage: COVERAGE }),
    rows: windows.rows,
    batch: BATCH,
    data: source.description,
    dataSha256: source.sha256,
    command,
  };
  const bytes = ({ buffer, byteOffset, byteLength }: Float32Array | Uint8Array | Int32Array): Uint8Array => new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
  await writeFile(join(folder, 'dataset.json'), `${JSON.stringify(about)}\n`);
  await writeFile(join(folder, 'windows.f32'), bytes(windows.values));
  await writeFile(join(folder, 'targets.f32'), bytes(truths));
  await writeFile(join(folder, 'split.u8'), bytes(parts));
  await writeFile(join(folder, 'runs.i32'), bytes(runs));
}
