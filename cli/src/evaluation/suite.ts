import { join } from 'node:path';
import { ROOT } from '../home.js';
import { UsageError } from '../usage-error.js';
import { cmapss } from './cmapss.js';
import { tep } from './tep.js';
import { cwru } from './cwru.js';
import { skab } from './skab.js';
import { secom } from './secom.js';
import { ai4i } from './ai4i.js';
import { gasTurbine } from './gas-turbine.js';
import { DataFolder } from './data-folder.js';
import { figureOf, reached, type Benchmark, type Figure, type FigureSpec } from './figure.js';

const BENCHMARKS: readonly Benchmark[] = [tep, cmapss, cwru, skab, secom, ai4i, gasTurbine];

export interface EvaluateOptions {
  readonly data?: string;
  readonly json: boolean;
  readonly only: readonly string[];
}

/** `millwright evaluate --suite`: figures of the learners on public data sets, beside what others published. */
export async function evaluate({ data = process.env['MILLWRIGHT_DATA'] ?? join(ROOT, '..', 'shared', 'data'), json, only }: EvaluateOptions): Promise<number> {
  const known = BENCHMARKS.flatMap(({ folder, figures }) => [folder, ...figures.map(({ name }) => name)]);
  const unknown = only.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new UsageError(`There is no figure or data set ${unknown.join(', ')}: use ${known.join(', ')}.`);
  const wanted = (benchmark: Benchmark, figure: FigureSpec): boolean => only.length === 0 || only.includes(benchmark.folder) || only.includes(figure.name);
  const rows: [Figure, string][] = [];
  for (const benchmark of BENCHMARKS) {
    const specs = benchmark.figures.filter((figure) => wanted(benchmark, figure));
    if (specs.length === 0) continue;
    const say = (line: string): void => void process.stderr.write(`  ${line}\n`);
    process.stderr.write(`${benchmark.name}\n`);
    const folder = await DataFolder.open(join(data, benchmark.folder));
    if (folder === undefined) {
      say(`${join(data, benchmark.folder)} is not there: left out ${specs.map(({ name }) => name).join(', ')}`);
      continue;
    }
    const measured = await benchmark.measure(folder, say);
    for (const spec of specs) {
      const values = measured[spec.name];
      if (values === undefined) {
        say(`${spec.name} is left out: ${folder.path} does not hold what it needs`);
        continue;
      }
      const figure = figureOf(spec, values);
      rows.push([figure, spec.published]);
      if (json) process.stdout.write(`${JSON.stringify(figure)}\n`);
    }
  }
  if (!json) process.stdout.write(table(rows));
  return 0;
}

/** A Markdown table. */
function table(figures: readonly [Figure, string][]): string {
  const rows = figures.map(([figure, published]) => [
    figure.name,
    String(figure.value),
    figure.goal === null ? 'reported' : `${figure.better === 'higher' ? '≥' : '≤'} ${figure.goal}`,
    figure.unit,
    `${figure.spread[0]} – ${figure.spread[1]}`,
    figure.goal === null ? '' : reached(figure) ? 'yes' : 'no',
    published,
  ]);
  const all = [['figure', 'ours', 'goal', 'unit', 'spread', 'reached', 'published'], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |\n`;
  return line(all[0]!) + line(widths.map((width) => '-'.repeat(width))) + rows.map(line).join('');
}
