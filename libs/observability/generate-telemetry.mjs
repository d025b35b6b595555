// Makes the names in code and the table for people from libs/observability/telemetry.yaml: `npm run telemetry`.
import { readFileSync, writeFileSync } from 'node:fs';
import { parse } from 'yaml';

const at = (path) => new URL(`../../${path}`, import.meta.url);
const CONTRACT = 'libs/observability/telemetry.yaml';
const CODE = 'libs/observability/src/generated/telemetry.ts';
const PAGE = 'docs/telemetry.md';

const { attributes, metrics, spans } = parse(readFileSync(at(CONTRACT), 'utf8'));

const known = new Set(attributes.map(({ name }) => name));
for (const { name, attributes: used } of [...metrics, ...spans]) {
  for (const each of used) if (!known.has(each)) throw new Error(`${CONTRACT}: ${name} has attribute ${each}, which is not among the attributes: add it there`);
}
for (const list of [attributes, metrics, spans]) {
  for (const key of ['name', 'constant']) {
    const twice = list.find((each, i) => list.findIndex((other) => other[key] === each[key]) !== i);
    if (twice !== undefined) throw new Error(`${CONTRACT}: ${key} ${twice[key]} is there twice`);
  }
}

const SUFFIXES_OF_UNITS = { s: '_seconds', By: '_bytes' };

const quoted = (text) => `'${String(text).replaceAll("'", "\\'")}'`;

function code() {
  const lines = ['// Made from telemetry.yaml by `npm run telemetry`. Do not edit.', '', '/** Every metric, by its name in code; `prometheus` is its name at /metrics, without the suffixes of a histogram. */', 'export const METRICS = {'];
  for (const metric of metrics) {
    const { name, constant, kind, unit, description, boundaries } = metric;
    lines.push(`  /** ${description}. */`);
    const bounds = boundaries === undefined ? '' : `, boundaries: [${boundaries.join(', ')}]`;
    lines.push(`  ${constant}: { name: ${quoted(name)}, prometheus: ${quoted(prometheusName(metric))}, kind: ${quoted(kind)}, unit: ${quoted(unit)}, description: ${quoted(description)}${bounds} },`);
  }
  lines.push('} as const;', '', '/** Attributes of metrics and spans, by their names in code. */', 'export const ATTRIBUTES = {');
  for (const { name, constant, description } of attributes) lines.push(`  /** ${description}. */`, `  ${constant}: ${quoted(name)},`);
  lines.push('} as const;', '');
  return lines.join('\n');
}

/** OpenTelemetry's compatibility rules for Prometheus; libs/observability/src/open-metrics.ts does the same to what it serves. */
function prometheusName({ name, kind, unit }) {
  return name.replaceAll('.', '_') + (SUFFIXES_OF_UNITS[unit] ?? (unit === '1' && kind === 'gauge' ? '_ratio' : '')) + (kind === 'counter' ? '_total' : '');
}

const by = (services) => (services === 'every' ? 'every service' : services.join(', '));
const label = (name) => `\`${name.replaceAll('.', '_')}\``;

function table() {
  const rows = metrics.map((metric) => `| \`${prometheusName(metric)}\` | ${metric.kind.replace('_', '-')} | ${metric.description} | ${metric.attributes.map(label).join(', ')} | ${by(metric.emitted_by)} |`);
  const spanRows = spans.map(({ name, kind, description, emitted_by: services }) => `| \`${name}\` | ${kind} | ${description} | ${by(services)} |`);
  return [
    '| metric | kind | what | labels | of |', '|---|---|---|---|---|', ...rows, '',
    '| span | kind | what | of |', '|---|---|---|---|', ...spanRows,
  ].join('\n');
}

writeFileSync(at(CODE), code());
const BEGIN = '<!-- made from telemetry.yaml: begin -->';
const END = '<!-- made from telemetry.yaml: end -->';
const page = readFileSync(at(PAGE), 'utf8');
const [before, rest] = page.split(BEGIN);
const after = rest?.split(END)[1];
if (after === undefined) throw new Error(`${PAGE}: the lines "${BEGIN}" and "${END}" are missing`);
writeFileSync(at(PAGE), `${before}${BEGIN}\n${table()}\n${END}${after}`);
