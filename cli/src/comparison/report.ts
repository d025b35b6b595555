import type { Compared, Comparison } from './comparison.js';
import type { Curve } from './curve.js';
import type { DiagnosisFigures, RegressionFigures } from './figures.js';
import { chart, escaped, heatMap } from './svg.js';
import { columnsOf } from './table.js';

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #d5dae1; --paper: #fff; --a: #1f6feb; --b: #c2410c; --on: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e5e9ef; --soft: #9aa5b3; --line: #353d48; --paper: #14181e; --a: #6ea8ff; --b: #fb923c; --on: #14181e; } }
body { margin: 2rem auto; max-width: 76rem; padding: 0 1rem; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1rem; } h3 { font-size: 1rem; margin: 0 0 .3rem; }
p { color: var(--soft); max-width: 60rem; } code { font-size: .9em; overflow-wrap: anywhere; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; } th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; vertical-align: bottom; white-space: normal; } th:first-child, td:first-child { text-align: left; } .noted :is(th, td):last-child { text-align: left; white-space: normal; min-width: 7rem; }
.plots { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: flex-start; margin-bottom: 1rem; } figure { margin: 0; min-width: 0; }
svg { display: block; max-width: 100%; } svg text { font: 10.5px system-ui, sans-serif; fill: var(--soft); } .chart { width: 340px; }
.grid { stroke: var(--line); } polyline, .key { fill: none; stroke-width: 2; stroke: var(--a); } .b { stroke: var(--b); } .ideal { stroke: var(--soft); stroke-dasharray: 4 3; stroke-width: 1; }
circle { fill: var(--a); fill-opacity: .55; } .right { fill: var(--a); } .wrong { fill: var(--b); } svg text.on { fill: var(--on); } .cell { fill: none; stroke: var(--line); }
`;

const TITLES: Readonly<Record<Comparison['task'], string>> = { diagnosis: 'Diagnosis', rul: 'Remaining life', anomaly: 'Anomaly', quality: 'Quality' };

/** The comparison as one HTML page that needs nothing else. */
export function reportOf(comparison: Comparison): string {
  const { task, data, dataSha256, command, history, features, split } = comparison;
  const columns = columnsOf(comparison);
  const table = notedTable(columns.map(([heading]) => heading), comparison.models.map((model) => columns.map(([, of]) => of(model))));
  const windows = Object.entries(split.windows).map(([part, count]) => `${count.toLocaleString('en')} ${part}`).join(', ');
  const parts = Object.keys(split.windows);
  const inOrder = Object.entries(split.runs).sort(([a], [b]) => parts.findIndex((part) => a.startsWith(part)) - parts.findIndex((part) => b.startsWith(part)));
  const runs = notedTable(['runs with windows in', 'runs', 'names'], inOrder.map(([parts, names]) => [parts, String(names.length), namesOf(names)]));
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${TITLES[task]}: comparison of models</title><style>${STYLE}</style></head><body>
<h1>${TITLES[task]}: comparison of models</h1>
<p>${escaped(data)}. Each model is a package as the line runs it, judged by ONNX Runtime on the same test windows; none of them was seen in training or calibration.</p>
<div class="wide">${table}</div>
<p>Windows of ${history} steps of ${features} features: ${windows}. Split by ${split.by}; ${split.dropped.toLocaleString('en')} rows have no window, since its history crosses the beginning of a run or of a part.</p>
${comparison.models.map((model) => section(model, comparison)).join('\n')}
<h2>Split and origin</h2>
<div class="wide">${runs}</div>
<p>Made by <code>${escaped(command)}</code> from data with SHA-256 <code>${dataSha256}</code>.</p>
</body></html>
`;
}

function section(model: Compared, { labels, unit }: Comparison): string {
  const { figures, trained } = model;
  const plots: string[] = [];
  let below = '';
  if (figures.kind === 'diagnosis') {
    plots.push(figure('Confusion, % of each true class', heatMap(labels, figures.confusion)), figure(`Calibration: error ${figures.calibrationError.toFixed(3)}`, reliability(figures)));
    below = `<div class="wide">${classes(figures)}</div>`;
  }
  if (figures.kind === 'regression') plots.push(figure('Said and true', scatter(figures, unit)));
  if (trained?.curve !== undefined && trained.curve.points.length > 1) plots.push(figure('Training', learning(trained.curve)));
  if (plots.length === 0) return '';
  return `<h2>${escaped(model.model)}</h2><div class="plots">${plots.join('')}</div>${below}`;
}

const figure = (title: string, plot: string): string => `<figure><h3>${escaped(title)}</h3>${plot}</figure>`;

const DIAGONAL = [[0, 0], [1, 1]] as const;

function reliability({ reliability: bins }: DiagnosisFigures): string {
  const points = bins.map(({ confidence, accuracy }) => [confidence, accuracy] as const);
  return chart({ title: 'confidence', from: 0, to: 1 }, { title: 'share right', from: 0, to: 1 }, [
    { name: '', style: 'ideal', points: DIAGONAL, as: 'line' },
    { name: '', style: 'a', points, as: 'line' },
    { name: '', style: 'a', points, as: 'dots' },
  ]);
}

function scatter({ points }: RegressionFigures, unit: string): string {
  const all = points.flat();
  const [from, to] = [Math.min(0, ...all), Math.max(...all)];
  const of = unit === '' ? '' : `, ${unit}`;
  return chart({ title: `true${of}`, from, to }, { title: `said${of}`, from, to }, [
    { name: '', style: 'ideal', points: [[from, from], [to, to]], as: 'line' },
    { name: '', style: 'a', points, as: 'dots' },
  ]);
}

function learning({ step, measure, points }: Curve): string {
  const ats = points.map(({ at }) => at);
  const values = points.flatMap(({ train, validation }) => [validation, ...(train === undefined ? [] : [train])]);
  const [from, to] = [Math.min(...ats), Math.max(...ats)];
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const margin = (most - least || 1) * 0.05;
  return chart({ title: step, from, to, logarithmic: from > 0 && to / from >= 100 }, { title: measure, from: least - margin, to: most + margin }, [
    { name: 'training', style: 'b', points: points.flatMap(({ at, train }) => (train === undefined ? [] : [[at, train] as const])), as: 'line' as const },
    { name: 'validation', style: 'a', points: points.map(({ at, validation }) => [at, validation] as const), as: 'line' as const },
  ].filter(({ points: drawn }) => drawn.length > 0));
}

function classes({ classes: all }: DiagnosisFigures): string {
  const share = (value: number | null): string => (value === null || Number.isNaN(value) ? '' : value.toFixed(3));
  return tableHtml(['class', 'windows', 'precision', 'recall', 'F1'], all.map(({ label, rows, precision, recall, f1 }) => [label, rows.toLocaleString('en'), share(precision), share(recall), share(f1)]));
}

/** A table whose last column is text. */
const notedTable = (heading: readonly string[], rows: readonly (readonly string[])[]): string => tableHtml(heading, rows, ' class="noted"');

function tableHtml(heading: readonly string[], rows: readonly (readonly string[])[], attributes = ''): string {
  const line = (tag: string, cells: readonly string[]): string => `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('')}</tr>`;
  return `<table${attributes}><thead>${line('th', heading)}</thead><tbody>${rows.map((row) => line('td', row)).join('')}</tbody></table>`;
}

const namesOf = (names: readonly string[]): string => (names.length > 12 ? `${names.slice(0, 12).join(', ')} ...` : names.join(', '));
