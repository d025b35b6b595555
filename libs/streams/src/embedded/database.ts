import { existsSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

const SCHEMA_VERSION = 1;
/**
 * Records lie by id = partition id × 2^40 + offset, so that a partition is one range of the table and a batch one scan.
 * Offsets therefore end at 2^40 and partitions of all topics together at 2^13, which keeps ids exact as JS numbers.
 */
const SCHEMA = `
  CREATE TABLE topics (name TEXT PRIMARY KEY, partitions INTEGER NOT NULL, retention_ms INTEGER NOT NULL, compacted INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE partitions (id INTEGER PRIMARY KEY, topic TEXT NOT NULL, number INTEGER NOT NULL, next_offset INTEGER NOT NULL, UNIQUE (topic, number));
  CREATE TABLE records (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB NOT NULL, time_ms REAL NOT NULL, appended_ms INTEGER NOT NULL,
    schema TEXT NOT NULL, source TEXT NOT NULL, sequence INTEGER NOT NULL, traceparent TEXT
  );
  CREATE TABLE group_offsets (group_name TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL, PRIMARY KEY (group_name, topic, partition)) WITHOUT ROWID;
  CREATE TABLE checkpoints (task TEXT PRIMARY KEY, state_version INTEGER NOT NULL, version INTEGER NOT NULL, offsets TEXT NOT NULL, system BLOB NOT NULL);
  CREATE TABLE checkpoint_entries (task TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (task, key));
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** SQLite's result codes that mean: no room. */
const SQLITE_FULL = 13;
const SQLITE_IOERR_WRITE = 778;
/** SQLite's result code for: another connection holds the file. */
const SQLITE_BUSY = 5;

/** A log file that can't be used: why, and what to do. */
export class LogFileError extends Error {
  override readonly name = 'LogFileError';
  readonly badInput = true;
}

interface Pending {
  readonly operation: () => unknown;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

const unusable = (path: string, error: unknown): LogFileError =>
  new LogFileError(
    resultCode(error) === SQLITE_BUSY
      ? `${path} is in use by another process: an event log file serves one process; stop that one, or choose another folder or file`
      : `${path} can't be used as an event log: ${(error as Error).message}; move it away, or choose another file`,
    { cause: error },
  );

/**
 * Removes an event log's file, whatever is in it.
 * @throws LogFileError when another process holds it
 */
export function removeLogFile(path: string): void {
  if (existsSync(path)) {
    try {
      new Database(path).close();
    } catch (error) {
      if (resultCode((error as Error).cause) === SQLITE_BUSY) throw error;
      // It can't be used by anyone, and goes.
    }
  }
  for (const each of [path, `${path}-wal`, `${path}-shm`]) rmSync(each, { force: true });
}

/** Told how each transaction ended, to bring what it keeps in memory in line. */
export interface Participant {
  committed(): void;
  rolledBack(): void;
}

/** SQLite's result code, of an error that has one (by its shape: it may come from another realm, as under a test runner). */
const resultCode = (error: unknown): number | undefined =>
  typeof error === 'object' && error !== null && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : undefined;

/**
 * The SQLite file of the embedded log and its state store, held by one process. All writes of one turn of the event loop
 * go into one transaction, so they share one sync to disk.
 */
export class Database {
  readonly sql: DatabaseSync;
  readonly path: string;
  #participants: Participant[] = [];
  #queue: Pending[] = [];
  #scheduled = false;
  #open = true;

  /** @param path file, or `:memory:`. @throws LogFileError when the file can't be used. */
  constructor(path: string) {
    this.path = path;
    try {
      this.sql = new DatabaseSync(path);
    } catch (error) {
      throw new LogFileError(`${path} can't be opened as an event log: ${(error as Error).message}; does its folder exist and may this user write there?`, { cause: error });
    }
    try {
      this.#prepare();
    } catch (error) {
      this.sql.close();
      throw error instanceof LogFileError ? error : unusable(path, error);
    }
  }

  #prepare(): void {
    // Exclusive: the lock is held for as long as the file is open, and is gone when the process is, however it ends.
    this.sql.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN EXCLUSIVE;');
    const version = this.sql.prepare('PRAGMA user_version').get()?.['user_version'];
    if (version === 0) this.sql.exec(SCHEMA);
    else if (version !== SCHEMA_VERSION) {
      throw new LogFileError(`${this.path} has event log format ${String(version)}, this version reads ${SCHEMA_VERSION}: use the version that wrote it, or move the file away`);
    }
    this.sql.exec('COMMIT');
  }

  join(participant: Participant): void {
    this.#participants.push(participant);
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Bytes in use by records and state, not counting free pages. */
  usedBytes(): number {
    const pragma = (name: string): number => Number(this.sql.prepare(`PRAGMA ${name}`).get()?.[name]);
    return (pragma('page_count') - pragma('freelist_count')) * pragma('page_size');
  }

  /**
   * Runs `operation` within the next transaction and resolves when that is on disk. What it throws before its first
   * statement concerns itself alone; a failing statement undoes the whole transaction, and all its operations reject.
   */
  write<T>(operation: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (!this.#open) {
        reject(new Error(`${this.path} is closed`));
        return;
      }
      this.#queue.push({ operation, resolve, reject });
      if (this.#scheduled) return;
      this.#scheduled = true;
      setImmediate(() => this.#flush());
    });
  }

  /** Writes what is pending and lets go of the file. */
  close(): void {
    if (!this.#open) return;
    this.#flush();
    this.#open = false;
    this.sql.close();
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#queue.length === 0) return;
    const batch = this.#queue;
    this.#queue = [];
    const settle: (() => void)[] = [];
    try {
      this.sql.exec('BEGIN');
      for (const { operation, resolve, reject } of batch) {
        try {
          const result = operation();
          settle.push(() => resolve(result as never));
        } catch (error) {
          if (resultCode(error) !== undefined) throw error;
          settle.push(() => reject(error));
        }
      }
      this.sql.exec('COMMIT');
    } catch (error) {
      if (this.sql.isTransaction) this.sql.exec('ROLLBACK');
      for (const participant of this.#participants) participant.rolledBack();
      const reason = this.#explain(error);
      for (const { reject } of batch) reject(reason);
      return;
    }
    for (const participant of this.#participants) participant.committed();
    for (const each of settle) each();
  }

  #explain(error: unknown): Error {
    const code = resultCode(error);
    if (code === SQLITE_FULL || code === SQLITE_IOERR_WRITE) {
      return new Error(`no room left on disk for ${this.path}: nothing was written; free some space and it goes on by itself`, { cause: error });
    }
    return new Error(`${this.path} could not be written: ${(error as Error).message}`, { cause: error });
  }
}
