import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Random } from '@millwright/learning';
import { loadPackage } from '@millwright/models';
import { DataFolder } from '../evaluation/data-folder.js';
import { compare, type CompareOptions } from './compare.js';
import type { Comparison } from './comparison.js';
import { readCsvRuns } from './csv-runs.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millwright-compare-'));
  jest.spyOn(process.stdout, 'write').mockReturnValue(true);
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterAll(async () => {
  jest.restoreAllMocks();
  await rm(folder, { recursive: true });
});

async function dataOf(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const path = join(folder, name);
  await mkdir(path, { recursive: true });
  for (const [file, text] of Object.entries(files)) await writeFile(join(path, file), text);
  return path;
}

/** Pumps that begin to swing or to run hot after forty rows; the life that remains is how far from 100 the heat is. */
function pumps(): string {
  const random = new Random(2);
  const lines = ['run,asset,time,label,target,speed.mean,heat'];
  for (let run = 0; run < 9; run++) {
    const label = ['normal', 'hot', 'swinging'][run % 3]!;
    for (let t = 0; t < 80; t++) {
      const since = t < 40 ? 0 : t - 39;
      const heat = 60 + (label === 'hot' ? 0.5 * since : 0) + 0.5 * random.normal();
      const speed = 1500 + (label === 'swinging' && since > 0 ? 20 * Math.sin(t) : 0) + 3 * random.normal();
      lines.push(`${run},P${run % 3},${t},${since > 0 ? label : 'normal'},${(100 - heat).toFixed(3)},${random.uniform() < 0.01 ? '' : speed.toFixed(3)},${heat.toFixed(3)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

async function compared(out: string, options: Partial<CompareOptions> & Pick<CompareOptions, 'task' | 'data'>): Promise<Comparison> {
  expect(await compare({ seed: 1, without: [], json: true, history: 12, out: join(folder, out), ...options })).toBe(0);
  return JSON.parse(await readFile(join(folder, out, 'comparison.json'), 'utf8')) as Comparison;
}

const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);
const modelOf = (comparison: Comparison, name: string) => comparison.models.find(({ model }) => model === name)!;

describe('millwright train --task', () => {
  it('diagnosis: packages that tell faults apart, each judged on the same windows, beside the majority class', async () => {
    const data = await dataOf('pumps', { 'pumps.csv': pumps(), 'about.json': '{"kinds": ["pump"]}' });
    const comparison = await compared('diagnosis', { task: 'diagnosis', data });
    expect(comparison.models.map(({ model }) => model)).toEqual(['majority', 'rocket', 'gbdt', 'forest']);
    for (const { model, figures, package: of } of comparison.models) {
      if (figures.kind !== 'diagnosis') throw new Error('a diagnosis was asked for');
      expect(figures.rows).toBe(comparison.split.windows['test']);
      if (model === 'majority') expect(figures.accuracy).toBeLessThan(0.7);
      else {
        expect(figures.accuracy).toBeGreaterThan(0.85);
        expect(figures.detection).toMatchObject({ faults: 2, found: 2 });
        const { manifest } = await loadPackage(of!.folder);
        // What drift is measured from: the inputs of all windows but those of the test, and how sure it is of good health in validation.
        const { windows } = comparison.split;
        for (const { counts, missing } of manifest.profile!.inputs) expect(total(counts) + missing).toBe(windows['train']! + windows['validation']!);
        expect(total(manifest.profile!.prediction.counts)).toBeGreaterThan(0.5 * windows['validation']!);
        expect(total(manifest.profile!.prediction.counts)).toBeLessThan(windows['validation']!);
        expect(manifest.profile!.prediction.edges.at(-1)).toBeLessThanOrEqual(1);
        expect(manifest).toMatchObject({ kinds: ['pump'], labels: ['normal', 'hot', 'swinging'], input: { history: 12, features: ['speed.mean', 'heat.mean'] } });
      }
    }
    const html = await readFile(join(folder, 'diagnosis', 'comparison.html'), 'utf8');
    expect(html).not.toMatch(/(src|href)=/);
    // Each model has its confusion and its calibration, each that was trained its curve.
    expect(html.match(/<svg/g)).toHaveLength(11);
  });

  it('the same data and seed give the same packages', async () => {
    const data = await dataOf('pumps', { 'pumps.csv': pumps() });
    const hashes = async (out: string): Promise<(string | undefined)[]> => (await compared(out, { task: 'diagnosis', data })).models.map(({ package: of }) => of?.sha256);
    expect(await hashes('again')).toEqual(await hashes('and-again'));
  });

  it('rul: intervals that hold about as much as they promise', async () => {
    const data = await dataOf('pumps', { 'pumps.csv': pumps() });
    const comparison = await compared('rul', { task: 'rul', data, models: ['gbdt'], split: 'run' });
    const [mean, gbdt] = ['mean', 'gbdt'].map((name) => modelOf(comparison, name).figures);
    if (mean?.kind !== 'regression' || gbdt?.kind !== 'regression') throw new Error('values were asked for');
    expect(gbdt.rmse).toBeLessThan(mean.rmse / 2);
    expect(gbdt.coverage).toBeGreaterThan(0.75);
  });

  it('anomaly: learnt from normal rows only, faults found', async () => {
    const data = await dataOf('pumps', { 'pumps.csv': pumps() });
    const { figures } = modelOf(await compared('anomaly', { task: 'anomaly', data }), 'mahalanobis');
    if (figures.kind !== 'anomaly') throw new Error('scores were asked for');
    expect(figures.auc).toBeGreaterThan(0.9);
    expect(figures.detection.falseAlarms).toBeLessThan(0.1);
  });

  it.each([
    ['a model that there is not', { models: ['svm'] }, 'There is no model svm'],
    ['a model that does not do the task', { task: 'rul' as const, models: ['forest'] }, 'Model forest does not do rul: give rocket or gbdt'],
    ['windows too short for a kernel', { models: ['rocket'], history: 5 }, 'Model rocket needs windows of 9 rows at least, and --history is 5'],
    ['a fault that there is not', { without: ['rust'] }, '--without rust: there is no such fault; give some of hot, swinging.'],
    ['a history longer than runs', { history: 500 }, 'The train part has no window of 500 rows'],
  ])('refuses %s', async (_, options, message) => {
    const data = await dataOf('pumps', { 'pumps.csv': pumps() });
    await expect(compared('refused', { task: 'diagnosis', data, ...options })).rejects.toMatchObject({ badInput: true, message: expect.stringContaining(message) });
  });
});

describe('networks', () => {
  it('are refused in one sentence where their Python is not there, before a package is written', async () => {
    const data = await dataOf('pumps', { 'pumps.csv': pumps() });
    const before = process.env['MILLWRIGHT_PYTHON'];
    process.env['MILLWRIGHT_PYTHON'] = join(folder, 'no-python');
    try {
      await expect(compared('net', { task: 'diagnosis', data, models: ['cnn'] })).rejects.toMatchObject({ badInput: true, message: expect.stringContaining('no-python') });
    } finally {
      if (before === undefined) delete process.env['MILLWRIGHT_PYTHON'];
      else process.env['MILLWRIGHT_PYTHON'] = before;
    }
    await expect(loadPackage(join(folder, 'net', 'cnn'))).rejects.toThrow("can't be read");
  });
});

describe('CSV files of labelled rows', () => {
  const read = async (name: string, files: Readonly<Record<string, string>>, task: 'diagnosis' | 'rul' = 'diagnosis') => readCsvRuns((await DataFolder.open(await dataOf(name, files)))!, task);

  it('are put in order of time, run by run; empty fields are missing', async () => {
    const { runs, features } = await read('order', { 'a.csv': 'time,label,s.mean,t\n2,x,3,\n2026-01-01T00:00:00Z,,5,6\n1,normal,1,2\n' });
    expect(features).toEqual(['s.mean', 't.mean']);
    expect(runs.map(({ name, values, truths }) => [name, [...values], [...truths]])).toEqual([['a a', [1, 2, 3, NaN, 5, 6], [0, 1, NaN]]]);
  });

  it.each([
    ['a number that is none', { 'a.csv': 'label,s\nnormal,1\nnormal,one\n' }, 'a.csv, line 3: "one" in column s is no number'],
    ['a short line', { 'a.csv': 'label,s\nnormal\n' }, 'a.csv, line 2 has 1 fields, and the heading has 2'],
    ['files with different headings', { 'a.csv': 'label,s\nnormal,1\n', 'b.csv': 'label,t\nnormal,1\n' }, 'b.csv has other columns than the files before it (t)'],
    ['no label', { 'a.csv': 's\n1\n' }, 'a.csv has no column "label"'],
    ['no normal operation', { 'a.csv': 'label,s\nx,1\n' }, 'no row has the label "normal"'],
    ['a split that there is not', { 'a.csv': 'label,split,s\nnormal,dev,1\n' }, 'split "dev" is none of train, validation, test'],
    ['a time that is none', { 'a.csv': 'label,time,s\nnormal,noon,1\n' }, 'time "noon" is neither a number nor a date'],
  ])('are refused with place and remedy: %s', async (name, files, message) => {
    await expect(read(name.replaceAll(' ', '-'), files)).rejects.toMatchObject({ badInput: true, message: expect.stringContaining(message) });
  });
});
