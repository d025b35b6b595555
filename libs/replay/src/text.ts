import { parse } from 'csv-parse/sync';
import { ReplayError } from './error.js';
import { readLines } from './lines.js';
import type { Table, TableRow } from './table.js';

/** A file of a line per signal has to be in memory before its first row is whole. */
const LARGEST_TRANSPOSED = 64 * 1024 * 1024;

/** Cells are separated by this; undefined: by any white space. */
type Separator = ',' | ';' | '\t' | undefined;

/**
 * A text file as a table. The first line is a header where any of its cells is neither number nor empty.
 * A file without header whose lines are not as wide as any of `widths` is taken as transposed, a line per signal,
 * where it has one of these numbers of lines: Braatz's d00.dat has 52 lines of 500.
 * @throws ReplayError where it is empty or can't be read.
 */
export async function openText(file: string, widths: readonly number[]): Promise<Table> {
  const lines = numbered(readLines(file));
  try {
    return await tableOf(file, lines, widths);
  } catch (error) {
    await lines.return(undefined);
    throw error;
  }
}

async function tableOf(file: string, lines: AsyncGenerator<Line[]>, widths: readonly number[]): Promise<Table> {
  const close = async (): Promise<void> => void (await lines.return(undefined));
  let first = await lines.next();
  while (first.done !== true && first.value.length === 0) first = await lines.next();
  if (first.done === true) throw new ReplayError(file, 'is empty; give a file with at least one row');

  const separator = separatorOf(file, first.value[0]!.text);
  const [firstLine, ...others] = first.value;
  const head = split(firstLine!.text, separator);
  if (head.broken !== undefined) throw new ReplayError(file, head.broken, firstLine!.at);
  const width = head.cells.length;
  const header = head.cells.some((cell) => !looksNumeric(cell)) ? head.cells.map((cell) => cell.trim()) : undefined;
  if (header === undefined && !widths.includes(width)) {
    const rows = await transposed(file, [...first.value], lines, separator, widths);
    return { width: rows[0]!.cells.length, place: 'column', batches: once(rows), close };
  }
  const firstBatch = header === undefined ? first.value : others;
  return { ...(header && { header }), width, place: 'line', batches: batches(firstBatch, lines, separator), close };
}

interface Line {
  readonly at: number;
  readonly text: string;
}

/** Lines with their numbers, blank ones left out. */
async function* numbered(chunks: AsyncGenerator<string[]>): AsyncGenerator<Line[]> {
  let at = 0;
  for await (const texts of chunks) yield texts.map((text) => ({ at: ++at, text })).filter(({ text }) => text.trim() !== '');
}

async function* batches(first: readonly Line[], lines: AsyncGenerator<Line[]>, separator: Separator): AsyncGenerator<TableRow[]> {
  const rows = (batch: readonly Line[]): TableRow[] => batch.map(({ at, text }) => ({ at, ...split(text, separator) }));
  yield rows(first);
  for await (const batch of lines) yield rows(batch);
}

async function* once<T>(value: T): AsyncGenerator<T> {
  yield await Promise.resolve(value);
}

/**
 * The columns of the file as rows. Reads on only as far as it must to know that the file is a line per signal.
 * @throws ReplayError where it is not.
 */
async function transposed(file: string, read: Line[], lines: AsyncGenerator<Line[]>, separator: Separator, widths: readonly number[]): Promise<TableRow[]> {
  const most = Math.max(0, ...widths);
  const width = split(read[0]!.text, separator).cells.length;
  while (read.length <= most) {
    const next = await lines.next();
    if (next.done === true) break;
    read.push(...next.value);
    if (read.reduce((size, { text }) => size + text.length, 0) > LARGEST_TRANSPOSED) {
      throw new ReplayError(file, 'has no header and a line per signal, and is over 64 MiB; write it with a line per row', read[0]!.at);
    }
  }
  const shape = widths.length === 0 ? 'this plant file names no columns (replay.columns)' : `the plant file names ${widths.join(' or ')} columns (replay.columns)`;
  if (!widths.includes(read.length)) {
    throw new ReplayError(file, `has ${width} columns and no header, but ${shape}; add a header line with signal names or name another plant file`, read[0]!.at);
  }
  const signals = read.map(({ text }) => split(text, separator).cells);
  const odd = signals.findIndex((cells) => cells.length !== width);
  if (odd !== -1) throw new ReplayError(file, `has ${signals[odd]!.length} values where the first line has ${width}; in a file of a line per signal all are equally long`, read[odd]!.at);
  return Array.from({ length: width }, (_, i) => ({ at: i + 1, cells: signals.map((cells) => cells[i]!) }));
}

/** The cells of a line. Lines with quotes go to a real CSV parser; measurements seldom have any. */
function split(line: string, separator: Separator): { cells: string[]; broken?: string } {
  if (separator === undefined) return { cells: line.trim().split(/\s+/) };
  if (!line.includes('"')) return { cells: line.split(separator) };
  try {
    return { cells: (parse(line, { delimiter: separator }))[0] ?? [] };
  } catch {
    return { cells: [], broken: 'has quotes that do not pair up; close them or leave them out' };
  }
}

function separatorOf(file: string, line: string): Separator {
  const name = file.toLowerCase().replace(/\.gz$/, '');
  if (name.endsWith('.tsv')) return '\t';
  const counts = ([',', ';', '\t'] as const).map((separator) => [separator, line.split(separator).length - 1] as const);
  // A semicolon separates even where decimal commas outnumber it.
  if (counts[1]![1] > 0) return ';';
  if (!name.endsWith('.csv') && counts[0]![1] === 0) return undefined;
  return counts.reduce((best, next) => (next[1] > best[1] ? next : best))[0];
}

function looksNumeric(cell: string): boolean {
  const text = cell.trim();
  return text === '' || /^[-+]?nan$/i.test(text) || !Number.isNaN(Number(text)) || /^[-+]?\d+,\d+$/.test(text);
}
