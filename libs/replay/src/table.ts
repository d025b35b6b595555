/** One cell as the file has it: text, or a typed value of a Parquet column. */
export type Cell = string | number | bigint | boolean | Instant | null | undefined;

/** A typed timestamp: microseconds since the epoch. */
export class Instant {
  constructor(readonly us: number) {}
}

export interface TableRow {
  /** Where it stands: line, column or row of the file by `Table.place`, from 1. */
  readonly at: number;
  readonly cells: readonly Cell[];
  /** Why the row could not be taken apart, where it could not. */
  readonly broken?: string;
}

/** A file as rows of cells, whatever its format. */
export interface Table {
  /** Names of the columns, where the file has them. */
  readonly header?: readonly string[];
  /** Cells in the first row. */
  readonly width: number;
  /** What `TableRow.at` counts. */
  readonly place: 'line' | 'column' | 'row';
  /** Rows in the order of the file, many at a time, so that a row costs no promise. Can be read once. */
  readonly batches: AsyncIterable<readonly TableRow[]>;
  /** Lets go of the file, read to its end or not. */
  close(): Promise<void>;
}
