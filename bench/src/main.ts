import { parseArgs } from 'node:util';
import { type Figure, type Measurement, reached } from './figure.js';
import { featuresMeasurement } from './figures/features.js';
import { inferenceMeasurement } from './figures/inference.js';
import { ingestionMeasurement } from './figures/ingestion.js';
import { latencyMeasurement } from './figures/latency.js';
import { peerMeasurements } from './figures/peers.js';
import { standaloneMeasurement } from './figures/standalone.js';

const usage = `npm run bench -- [--json] [FIGURE ...]

Measures the figures named, or all, and prints a table; --json prints one JSON line a figure instead.
Ratios are taken between things measured in turn in the same run. Leave the machine alone meanwhile.`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
  });
  const all: readonly Measurement[] = [featuresMeasurement, ingestionMeasurement, inferenceMeasurement, latencyMeasurement, standaloneMeasurement, ...peerMeasurements];
  const known = all.flatMap((m) => m.figures);
  if (values.help) {
    process.stdout.write(`${usage}\n\n${all.map((m) => `${m.figures.join(', ')}\n    ${m.what}`).join('\n')}\n`);
    return 0;
  }
  const unknown = positionals.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    process.stderr.write(`There is no figure ${unknown.join(', ')}: use ${known.join(', ')}.\n`);
    return 2;
  }
  const chosen = all.filter((m) => positionals.length === 0 || m.figures.some((name) => positionals.includes(name)));
  const figures: Figure[] = [];
  for (const measurement of chosen) {
    process.stderr.write(`${measurement.what} ...\n`);
    const measured = await measurement.measure((line) => process.stderr.write(`  ${line}\n`));
    for (const f of measured) {
      figures.push(f);
      if (values.json) process.stdout.write(`${JSON.stringify(f)}\n`);
    }
  }
  if (!values.json) process.stdout.write(table(figures));
  return 0;
}

/** A Markdown table. */
function table(figures: readonly Figure[]): string {
  const rows = figures.map((f) => [f.name, String(f.value), `${f.better === 'higher' ? '≥' : '≤'} ${f.goal}`, f.unit, `${f.spread[0]} – ${f.spread[1]}`, reached(f) ? 'yes' : 'no']);
  const all = [['figure', 'median', 'goal', 'unit', 'spread', 'reached'], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |\n`;
  return line(all[0]!) + line(widths.map((w) => '-'.repeat(w))) + rows.map(line).join('');
}

process.exitCode = await main();
