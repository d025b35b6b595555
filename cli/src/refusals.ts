/** Sentences shown of what was left out; the rest is counted. */
const SHOWN = 5;

/** Collects what a run had to leave out: rows of a file, and records that ingestion refused. */
export interface RefusalReporter {
  row(message: string): void;
  record(message: string): void;
  /** The first few sentences and how many there were; empty when nothing was left out. */
  readonly lines: readonly string[];
}

export function refusalReporter(): RefusalReporter {
  const shown: string[] = [];
  let rows = 0;
  let records = 0;
  const show = (message: string): void => {
    if (shown.length < SHOWN) shown.push(message);
  };
  return {
    row(message) {
      rows++;
      show(message);
    },
    record(message) {
      records++;
      show(message);
    },
    get lines() {
      if (rows + records === 0) return [];
      const what = [rows > 0 ? `${rows} rows` : '', records > 0 ? `${records} records` : ''].filter((part) => part !== '').join(' and ');
      return [`Left out: ${what}. The first:`, ...shown.map((message) => `  ${message}`)];
    },
  };
}
