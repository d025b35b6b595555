import { suggestion, type Asset, type Plant } from '@millwright/plant';
import { ReplayError } from './error.js';
import type { Table } from './table.js';

/** What each column of a file means. */
export interface Layout {
  /** Name of each column, for messages. */
  readonly names: readonly string[];
  readonly timeColumn?: number;
  readonly assetColumn?: number;
  /** Asset of rows where there is no asset column. */
  readonly asset?: Asset;
  /** Columns that hold signals. */
  readonly signalColumns: readonly number[];
}

/** Taken for the time column where the plant file names none. */
const TIME_NAMES = ['time', 'timestamp', 'datetime'];

/**
 * Says what the columns of the file mean by the plant file.
 * @throws ReplayError where a column is unknown or a row would belong to no asset.
 */
export function layoutOf(file: string, table: Table, plant: Plant): Layout {
  return table.header ? fromHeader(file, table.header, plant) : fromColumns(file, table, plant);
}

function fromColumns(file: string, table: Table, plant: Plant): Layout {
  const { replay } = plant;
  if (replay === undefined) throw new ReplayError(file, `has no header, and plant ${plant.name} has no replay section that names its columns; add either`, 1);
  if (table.width !== replay.columns.length) {
    throw new ReplayError(file, `has ${table.width} columns and no header, but the plant file names ${replay.columns.length} (replay.columns); add a header line with signal names`, 1);
  }
  return { names: replay.columns, asset: plant.assets.get(replay.asset)!, signalColumns: replay.columns.map((_, i) => i) };
}

function fromHeader(file: string, header: readonly string[], plant: Plant): Layout {
  const { replay } = plant;
  const lower = header.map((name) => name.toLowerCase());
  const find = (named: string | undefined, usual: readonly string[]): number => (named === undefined ? lower.findIndex((name) => usual.includes(name)) : header.indexOf(named));
  const timeColumn = find(replay?.timeColumn, TIME_NAMES);
  const assetColumn = find(replay?.assetColumn, ['asset']);
  const only = plant.assets.size === 1 ? plant.assets.keys().next().value : undefined;
  const asset = assetColumn === -1 ? plant.assets.get(replay?.asset ?? only ?? '') : undefined;
  if (assetColumn === -1 && asset === undefined) {
    throw new ReplayError(file, `does not say which asset its rows belong to; add a column named asset, or replay.asset to the plant file of ${plant.name}`, 1);
  }
  if (timeColumn === -1 && (replay === undefined || assetColumn !== -1)) {
    throw new ReplayError(file, `has no time column; name it ${replay?.timeColumn ?? TIME_NAMES.join(', ')}`, 1);
  }

  const kinds = asset ? [asset.kind] : [...plant.kinds.values()];
  const signals = new Set(kinds.flatMap((kind) => kind.signals.map(({ name }) => name)));
  const signalColumns: number[] = [];
  header.forEach((name, i) => {
    if (i === timeColumn || i === assetColumn || replay?.ignoredColumns?.includes(name)) return;
    if (!signals.has(name)) {
      const hint = header.length > 1 ? suggestion(name, signals) : `known are ${[...signals].join(', ')}`;
      throw new ReplayError(file, `column ${i + 1} ${JSON.stringify(name)} is no signal of plant ${plant.name}; ${hint} (replay.ignoredColumns in the plant file passes over columns)`, 1);
    }
    if (header.indexOf(name) !== i) throw new ReplayError(file, `column ${i + 1} ${JSON.stringify(name)} stands there twice; take one out`, 1);
    signalColumns.push(i);
  });
  if (signalColumns.length === 0) throw new ReplayError(file, `has no column with a signal of plant ${plant.name}; known are ${[...signals].join(', ')}`, 1);
  return {
    names: header,
    ...(timeColumn !== -1 && { timeColumn }),
    ...(assetColumn !== -1 && { assetColumn }),
    ...(asset && { asset }),
    signalColumns,
  };
}
