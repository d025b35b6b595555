import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { holds, type Case, type Verdict } from './case.js';
import { CASES, SOAK } from './cases/index.js';
import { row, table } from './table.js';

const usage = `npm run prove -- [--json] [--seconds N] [--seed S] [--hours N] [CASE ...]

Runs the cases named, or all: each breaks something on purpose while data flow and tries to refute a claim. Prints a line as
each ends and a table at the end; --json prints one JSON line a case instead. Exit code 1 when one failed, whose files are kept.

--seconds N   how long the longest case goes on; 300 by default, others last a part of it
--seed S      decides on the data and on what breaks when; 1 by default
--hours N     runs ${SOAK.name} instead, for so long`;

/** Runs the program and returns its exit code. */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '300' },
      seed: { type: 'string', default: '1' },
      hours: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const all = [...CASES, SOAK];
  if (values.help) {
    process.stdout.write(`${usage}\n\n${all.map(({ name, claim }) => `${name}\n    ${claim}\n`).join('')}`);
    return 0;
  }
  const seconds = values.hours === undefined ? Number(values.seconds) : Number(values.hours) * 3600;
  if (!(seconds >= 10)) return refuse('--seconds takes a number from 10 on, and --hours one above 0.');
  if (!Number.isSafeInteger(Number(values.seed))) return refuse('--seed takes a whole number.');
  const unknown = positionals.find((name) => !all.some((each) => each.name === name));
  if (unknown !== undefined) return refuse(`There is no case ${unknown}: use ${all.map(({ name }) => name).join(', ')}.`);
  const chosen = positionals.length > 0 ? all.filter(({ name }) => positionals.includes(name)) : values.hours === undefined ? CASES : [SOAK];
  const rows: (readonly string[])[] = [];
  let passed = true;
  for (const each of chosen) {
    process.stderr.write(`${each.name}: ${each.claim}\n`);
    const verdict = await run(each, seconds, Number(values.seed));
    passed &&= holds(verdict);
    const { killed, lost, duplicated, identical, recovery_s, failures } = verdict;
    rows.push(row(each.name, verdict));
    if (values.json) process.stdout.write(`${JSON.stringify({ name: each.name, killed, lost, duplicated, identical, recovery_s, failures })}\n`);
    else process.stdout.write(`${rows.at(-1)!.join('  ')}\n${failures.map((failure) => `  ${failure}\n`).join('')}`);
  }
  if (!values.json) process.stdout.write(`\n${table(rows)}`);
  return passed ? 0 : 1;
}

/** A case on a stage of its own. */
async function run(each: Case, seconds: number, seed: number): Promise<Verdict> {
  const folder = mkdtempSync(join(tmpdir(), `millwright-${each.name}-`));
  const progress = (line: string): void => void process.stderr.write(`  ${line}\n`);
  let verdict: Verdict;
  try {
    verdict = await each.run({ folder, seed, seconds, progress });
  } catch (error) {
    verdict = { killed: 0, lost: 0, duplicated: 0, identical: false, failures: [`the case could not be completed: ${(error as Error).message}`] };
  }
  if (holds(verdict)) rmSync(folder, { recursive: true, force: true });
  else progress(`its files are kept in ${folder}`);
  return verdict;
}

function refuse(sentence: string): number {
  process.stderr.write(`${sentence}\n`);
  return 2;
}

// What it has started ends with it.
for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]] as const) process.on(signal, () => process.exit(code));
process.exit(await main());
