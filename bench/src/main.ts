import { parseArgs } from 'node:util';
import { SERVICES } from '@millwright/cli/service-process';
import { type Figure, type Measurement, reached } from './figure.js';
import { costMeasurement } from './figures/cost.js';
import { featuresMeasurement } from './figures/features.js';
import { inferenceMeasurement } from './figures/inference.js';
import { ingestionMeasurement } from './figures/ingestion.js';
import { latencyMeasurement } from './figures/latency.js';
import { peerMeasurements } from './figures/peers.js';
import { scalingMeasurement } from './figures/scaling.js';
import { servingMeasurement } from './figures/serving.js';
import { sizingMeasurement } from './figures/sizing.js';
import { standaloneMeasurement } from './figures/standalone.js';
import { telemetryMeasurement } from './figures/telemetry.js';
import { upgradeMeasurement } from './figures/upgrade.js';
import { isService, profile } from './profile.js';

const usage = `npm run bench -- [--json] [FIGURE ...]
npm run bench -- --profile [SERVICE ...]

Measures the figures named, or all, and prints a table; --json prints one JSON line a figure instead.
Ratios are taken between things measured in turn in the same run. Leave the machine alone meanwhile.
Figures against a peer are left out where this machine lacks what the peer needs, which is said.

--profile runs the demo plant through the cluster with a profiler on the services named, or on all, and leaves flame graphs.`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false }, profile: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
  });
  const all: readonly Measurement[] = [featuresMeasurement, ingestionMeasurement, inferenceMeasurement, latencyMeasurement, upgradeMeasurement, standaloneMeasurement, telemetryMeasurement, ...peerMeasurements, servingMeasurement, scalingMeasurement, costMeasurement, sizingMeasurement];
  const known = all.flatMap((m) => m.figures);
  if (values.help) {
    process.stdout.write(`${usage}\n\n${all.map((m) => `${m.figures.join(', ')}\n    ${m.what}`).join('\n')}\n`);
    return 0;
  }
  const progress = (line: string): void => void process.stderr.write(`  ${line}\n`);
  if (values.profile) {
    const services = positionals.filter(isService);
    const other = positionals.find((name) => !isService(name));
    if (other !== undefined) {
      process.stderr.write(`There is no service ${other}: use ${SERVICES.join(', ')}.\n`);
      return 2;
    }
    process.stdout.write(await profile(services.length === 0 ? SERVICES : services, progress));
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
    const measured = await measurement.measure(progress);
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
