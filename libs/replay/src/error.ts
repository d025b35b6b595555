/** A file that can't be replayed: what is wrong, where, and what to do. */
export class ReplayError extends Error {
  readonly badInput = true;

  constructor(
    readonly file: string,
    reason: string,
    /** From 1, where one line is to blame. */
    readonly line?: number,
  ) {
    super(`${file}${line === undefined ? '' : `:${line}`}: ${reason}`);
    this.name = 'ReplayError';
  }
}

/** A row that was left out; the rows around it went on. */
export interface RowRefusal {
  readonly file: string;
  /** Data row, from 1. */
  readonly row: number;
  /** One sentence with file and place. */
  readonly message: string;
}
