import { statSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { takeWindows, type Windows } from '@millwright/learning';
import { loadPackage } from '@millwright/models';
import { DataFolder } from '../evaluation/data-folder.js';
import { homeFolder } from '../home.js';
import { UsageError } from '../usage-error.js';
import { addProfile } from './add-profile.js';
import { readCmapssRuns } from './cmapss-runs.js';
import { readCsvRuns } from './csv-runs.js';
import type { Compared, Comparison, Figures } from './comparison.js';
import type { Trained } from './curve.js';
import { anomalyFigures, diagnosisFigures, regressionFigures } from './figures.js';
import { judgePackage } from './judge-package.js';
import { NETS, trainNet, type NetName } from './nets.js';
import { place, versionFor } from './package-version.js';
import { prepare, rowsOf, writeDataset, type Prepared } from './prepare.js';
import { reportOf } from './report.js';
import type { LabelledRuns, SplitKind, Task } from './runs.js';
import { PARTS } from './split.js';
import { tableOf } from './table.js';
import { readTepRuns } from './tep-runs.js';
import { trainWindowModel, WINDOW_MODELS, WINDOW_MODELS_BY_TASK, type WindowModelName } from './window-trainers.js';

export interface CompareOptions {
  readonly task: Task;
  readonly data: string;
  /** Default: all that need no Python. */
  readonly models?: readonly string[];
  readonly seed: number;
  readonly out?: string;
  readonly history?: number;
  readonly split?: SplitKind;
  readonly epochs?: number;
  /** Of all packages; default: see versionFor. */
  readonly version?: string;
  readonly set?: string;
  readonly without: readonly string[];
  readonly json: boolean;
}

/** `millwright train --task`: trains models on the same windows, writes their packages, and compares what these say of test windows. */
export async function compare(options: CompareOptions): Promise<number> {
  const { task, seed, json } = options;
  const models = options.models ?? WINDOW_MODELS_BY_TASK[task];
  const known: readonly string[] = [...WINDOW_MODELS, ...NETS];
  const unknown = models.find((model) => !known.includes(model));
  if (unknown !== undefined) throw new UsageError(`There is no model ${unknown}: give some of ${known.join(', ')}.`);
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const source = without(await readRuns(options), options.without);
  const history = options.history ?? source.defaults.history;
  const split = options.split ?? source.defaults.split;
  const command = commandOf(options, models, history, split);
  const data = prepare(source, { task, split, history, seed, command });
  const out = options.out ?? join(homeFolder('training'), `${source.name}-${task}`);
  await mkdir(out, { recursive: true });
  const version = await versionFor(models.map((model) => join(out, model)), options.version, { command, dataSha256: source.sha256 });
  say(`${source.name}: ${PARTS.map((part, index) => `${rowsOf(data, index).length} windows ${part}`).join(', ')}; ${source.features.length} features, history ${history}, split by ${split}`);
  const rows = rowsOf(data, 2);
  const test = takeWindows(data.windows, rows);
  const compared: Compared[] = [baseline(data, rows)];
  for (const model of models) {
    say(`${model}: training`);
    const folder = join(out, model);
    const name = `${source.name}-${model}`;
    // What is there stays until the new one is whole.
    const fresh = join(out, '.training', model);
    await rm(fresh, { recursive: true, force: true });
    const trained = isNet(model) ? await net(model, data, { name, version }, { dataset: join(out, 'dataset'), out: fresh }, options, say) : await trainWindowModel(model as WindowModelName, data, { name, version }, fresh, say);
    await addProfile(fresh, data);
    await place(fresh, folder);
    say(`${model}: trained in ${trained.seconds.toFixed(1)} s (${trained.note}), judging ${rows.length} windows`);
    compared.push({ ...(await judged(model, data, rows, test, folder)), trained });
  }
  await rm(join(out, '.training'), { recursive: true, force: true });
  const comparison = comparisonOf(data, compared, command);
  await writeFile(join(out, 'comparison.json'), `${JSON.stringify(comparison)}\n`);
  await writeFile(join(out, 'comparison.html'), reportOf(comparison));
  process.stdout.write(json ? `${JSON.stringify(comparison)}\n` : `${tableOf(comparison)}${join(out, 'comparison.html')}\n`);
  return 0;
}

async function readRuns({ data, task, set }: CompareOptions): Promise<LabelledRuns> {
  const folder = await DataFolder.open(data);
  if (folder === undefined) throw new UsageError(`There is no folder ${data}: give one laid out as docs/models.md, "Training and comparison", says.`);
  if (folder.has('d00.dat')) {
    if (task !== 'diagnosis' && task !== 'anomaly') throw new UsageError(`${data} is the Tennessee Eastman process, which has faults and no ${task}: give --task diagnosis or anomaly.`);
    return readTepRuns(folder);
  }
  const sets = folder.named(/^train_FD\d+\.txt$/).map((file) => file.slice('train_'.length, -'.txt'.length));
  if (sets.length > 0) {
    if (task !== 'rul') throw new UsageError(`${data} is C-MAPSS, whose engines only have a remaining life: give --task rul.`);
    const chosen = set ?? sets[0]!;
    if (!sets.includes(chosen)) throw new UsageError(`${data} has no set ${chosen}: give --set ${sets.join(' or ')}.`);
    return readCmapssRuns(folder, chosen);
  }
  return readCsvRuns(folder, task);
}

/** Runs in which one of these labels occurs are left out, and the labels with them. */
function without(source: LabelledRuns, left: readonly string[]): LabelledRuns {
  if (left.length === 0) return source;
  const strange = left.find((label) => !source.labels.includes(label) || label === source.normal);
  if (strange !== undefined) throw new UsageError(`--without ${strange}: there is no such fault; give some of ${source.labels.filter((label) => label !== source.normal).join(', ')}.`);
  const labels = source.labels.filter((label) => !left.includes(label));
  const runs = source.runs
    .filter(({ truths }) => !truths.some((truth) => left.includes(source.labels[truth] ?? '')))
    .map((run) => ({ ...run, truths: run.truths.map((truth) => (Number.isNaN(truth) ? NaN : labels.indexOf(source.labels[truth]!))) }));
  return { ...source, labels, runs };
}

const isNet = (model: string): model is NetName => (NETS as readonly string[]).includes(model);

async function net(model: NetName, data: Prepared, about: { readonly name: string; readonly version: string }, { dataset, out }: { readonly dataset: string; readonly out: string }, { seed, epochs }: CompareOptions, say: (line: string) => void): Promise<Trained> {
  await writeDataset(dataset, about.name, about.version, data);
  return trainNet({ net: model, dataset, out, seed, say, ...(epochs === undefined ? {} : { epochs }) });
}

async function judged(model: string, data: Prepared, rows: readonly number[], test: Windows, folder: string): Promise<Compared> {
  const loaded = await loadPackage(folder);
  const { outputs, windowsPerSecond } = await judgePackage(loaded, test);
  const { manifest } = loaded;
  const truths = Float64Array.from(rows, (row) => data.truths[row]!);
  const runs = Int32Array.from(rows, (row) => data.runs[row]!);
  return {
    model,
    figures: figuresOf(),
    package: { folder, bytes: statSync(join(folder, 'model.onnx')).size, windowsPerSecond, sha256: manifest.sha256 },
  };

  function figuresOf(): Figures {
    switch (manifest.task) {
      case 'diagnosis':
        return { kind: 'diagnosis', ...diagnosisFigures(outputs['probabilities']!, Int32Array.from(truths), runs, manifest.labels, manifest.unknown?.threshold) };
      case 'regression':
        return { kind: 'regression', ...regressionFigures({ value: outputs['value']!, lower: outputs['lower']!, upper: outputs['upper']! }, truths) };
      case 'anomaly':
        return { kind: 'anomaly', ...anomalyFigures(outputs['score']!, manifest.limit, truths, runs) };
    }
  }
}

/** What one gets for nothing: shares of the classes in training; their mean, and the interval of the middle of them; one score for all. */
function baseline(data: Prepared, rows: readonly number[]): Compared {
  const training = rowsOf(data, 0).map((row) => data.truths[row]!);
  const truths = Float64Array.from(rows, (row) => data.truths[row]!);
  const runs = Int32Array.from(rows, (row) => data.runs[row]!);
  const constant = (value: number): Float64Array => new Float64Array(rows.length).fill(value);
  switch (data.task) {
    case 'diagnosis': {
      const shares = data.source.labels.map((_, label) => training.filter((truth) => truth === label).length / training.length);
      return { model: 'majority', figures: { kind: 'diagnosis', ...diagnosisFigures(rows.flatMap(() => shares), Int32Array.from(truths), runs, data.source.labels) } };
    }
    case 'anomaly':
      return { model: 'never', figures: { kind: 'anomaly', ...anomalyFigures(constant(0), 1, truths, runs) } };
    default: {
      const sorted = training.sort((a, b) => a - b);
      const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))]!;
      const mean = sorted.reduce((sum, each) => sum + each, 0) / sorted.length;
      return { model: 'mean', figures: { kind: 'regression', ...regressionFigures({ value: constant(mean), lower: constant(at(0.05)), upper: constant(at(0.95)) }, truths) } };
    }
  }
}

function comparisonOf(data: Prepared, models: readonly Compared[], command: string): Comparison {
  const { source, windows, seed, split, dropped, task } = data;
  const partsOfRun = new Map<number, Set<string>>();
  data.runs.forEach((run, row) => partsOfRun.set(run, (partsOfRun.get(run) ?? new Set()).add(PARTS[data.parts[row]!]!)));
  const runs: Record<string, string[]> = {};
  for (const [run, parts] of partsOfRun) (runs[[...parts].join('+')] ??= []).push(source.runs[run]!.name);
  return {
    format: 'millwright-comparison/1',
    task,
    data: source.description,
    dataSha256: source.sha256,
    command,
    labels: source.labels,
    unit: source.unit,
    history: windows.history,
    features: source.features.length,
    seed,
    split: { by: split, windows: Object.fromEntries(PARTS.map((part, index) => [part, rowsOf(data, index).length])), dropped, runs },
    models,
  };
}

function commandOf({ task, seed, set, without: left, epochs, version }: CompareOptions, models: readonly string[], history: number, split: SplitKind): string {
  return [
    `millwright train --task ${task} --data <folder>`, `--models ${models.join(',')}`, `--seed ${seed} --history ${history} --split ${split}`,
    ...(set === undefined ? [] : [`--set ${set}`]), ...(left.length === 0 ? [] : [`--without ${left.join(',')}`]), ...(epochs === undefined ? [] : [`--epochs ${epochs}`]), ...(version === undefined ? [] : [`--version ${version}`]),
  ].join(' ');
}
