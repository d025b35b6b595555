import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import type { Source, SourceStep } from '@millwright/contracts';
import type { Plant } from '@millwright/plant';
import { ReplayError, type RowRefusal } from './error.js';
import { layoutOf } from './layout.js';
import { openParquet } from './parquet.js';
import { StepBuilder } from './steps.js';
import type { Table } from './table.js';
import { openText } from './text.js';

export interface ReplayOptions {
  /** Name of the source; "replay/" and the file's name by default. */
  readonly source?: string;
  /** Told of every row that is left out. */
  readonly onRefusal?: (refusal: RowRefusal) => void;
}

export interface Replay extends Source {
  /** Rows left out so far. */
  readonly refused: number;
}

/**
 * Opens a file as a source: .csv, .tsv, .parquet, or .dat and .txt with plain columns, each also with .gz; `.gz` may be left out of the path.
 * The same file gives the same blocks with the same sequences every time, so playing it again repeats nothing that the log has.
 * @throws ReplayError, here or in next(), where the file can't be used; rows with mistakes are left out and told to onRefusal.
 */
export async function openReplay(plant: Plant, path: string, { source, onRefusal }: ReplayOptions = {}): Promise<Replay> {
  const file = withGz(path);
  const table = await openTable(file, plant.replay ? [plant.replay.columns.length] : []);
  const name = source ?? `replay/${basename(file).replace(/\.gz$/, '')}`;
  let builder: StepBuilder;
  try {
    builder = new StepBuilder(name, plant, layoutOf(file, table, plant));
  } catch (error) {
    await table.close();
    throw error;
  }
  let refused = 0;

  async function* steps(): AsyncGenerator<SourceStep> {
    let row = 0;
    let broken: unknown;
    try {
      for await (const batch of table.batches) {
        for (const each of batch) {
          row++;
          const step = builder.add(each, (reason) => {
            refused++;
            onRefusal?.({ file, row, message: `${file}${table.place === 'line' ? `:${each.at}` : `: ${table.place} ${each.at}`}: ${reason}` });
          });
          if (step) yield step;
        }
      }
      if (row === 0) throw new ReplayError(file, 'has no rows; give a file with at least one row');
    } catch (error) {
      broken = error;
    }
    // What was good before a file breaks off is played.
    const last = builder.end();
    if (last) yield last;
    if (broken !== undefined) throw broken;
  }

  const generator = steps();
  return {
    name,
    get refused() {
      return refused;
    },
    async next() {
      const { value, done } = await generator.next();
      return done === true ? undefined : value;
    },
    async close() {
      await generator.return(undefined);
      await table.close();
    },
  };
}

/** Opens a file as a table; `widths` are the numbers of columns that a file without header may have. */
export async function openTable(file: string, widths: readonly number[]): Promise<Table> {
  const name = file.toLowerCase().replace(/\.gz$/, '');
  if (name.endsWith('.parquet')) return openParquet(file);
  if (/\.(csv|tsv|dat|txt)$/.test(name)) return openText(file, widths);
  throw new ReplayError(file, 'is of no known format; name it .csv, .tsv, .parquet, or .dat for plain columns (each may end in .gz)');
}

/** The path itself, or with .gz where only that exists. */
export function withGz(path: string): string {
  return !existsSync(path) && existsSync(`${path}.gz`) ? `${path}.gz` : path;
}
