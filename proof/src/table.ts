import { holds, type Verdict } from './case.js';

const HEAD = ['case', 'killed', 'lost', 'duplicated', 'identical', 'recovery s', 'verdict'] as const;

/** What the table says of a case. */
export function row(name: string, verdict: Verdict): readonly string[] {
  const { killed, lost, duplicated, identical, recovery_s } = verdict;
  return [name, `${killed}`, `${lost}`, `${duplicated}`, identical ? 'yes' : 'no', recovery_s?.toFixed(1) ?? '', holds(verdict) ? 'holds' : 'FAILS'];
}

/** A Markdown table. */
export function table(rows: readonly (readonly string[])[]): string {
  const all = [HEAD, ...rows];
  const widths = HEAD.map((_, column) => Math.max(...all.map((each) => each[column]!.length)));
  const line = (cells: readonly string[]): string => `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |\n`;
  return line(HEAD) + line(widths.map((width) => '-'.repeat(width))) + rows.map(line).join('');
}
