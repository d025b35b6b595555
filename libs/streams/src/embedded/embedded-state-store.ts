import type { StatementSync } from 'node:sqlite';
import type { Checkpoint, CheckpointDelta, StateStore } from '../state.js';
import type { Database } from './database.js';
import type { EmbeddedLog } from './embedded-log.js';

/** Checkpoints in the SQLite file of the embedded log. */
export class EmbeddedStateStore implements StateStore {
  readonly #database: Database;
  readonly #checkpoint: StatementSync;
  readonly #entries: StatementSync;
  readonly #entry: StatementSync;
  readonly #saveCheckpoint: StatementSync;
  readonly #saveEntry: StatementSync;
  readonly #deleteEntry: StatementSync;
  readonly #deleteEntries: StatementSync;

  constructor({ database }: EmbeddedLog) {
    const { sql } = database;
    this.#database = database;
    this.#checkpoint = sql.prepare('SELECT state_version, version, offsets, system FROM checkpoints WHERE task = ?');
    this.#entries = sql.prepare('SELECT key, value FROM checkpoint_entries WHERE task = ?');
    this.#entry = sql.prepare('SELECT value FROM checkpoint_entries WHERE task = ? AND key = ?');
    this.#saveCheckpoint = sql.prepare('INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?)');
    this.#saveEntry = sql.prepare('INSERT OR REPLACE INTO checkpoint_entries VALUES (?, ?, ?)');
    this.#deleteEntry = sql.prepare('DELETE FROM checkpoint_entries WHERE task = ? AND key = ?');
    this.#deleteEntries = sql.prepare('DELETE FROM checkpoint_entries WHERE task = ?');
  }

  async load(task: string): Promise<{ checkpoint: Checkpoint; entries: Map<string, Uint8Array> } | undefined> {
    const row = this.#checkpoint.get(task);
    if (row === undefined) return Promise.resolve(undefined);
    return Promise.resolve({
      checkpoint: {
        stateVersion: Number(row['state_version']),
        version: Number(row['version']),
        offsets: JSON.parse(String(row['offsets'])) as Record<string, number>,
        system: row['system'] as Uint8Array,
      },
      entries: new Map(this.#entries.all(task).map(({ key, value }) => [String(key), value as Uint8Array])),
    });
  }

  save(task: string, delta: CheckpointDelta, replace: boolean): Promise<boolean> {
    return this.#database.write(() => {
      const stored = this.#checkpoint.get(task);
      if (stored !== undefined && Number(stored['version']) > delta.version) return false;
      if (replace) this.#deleteEntries.run(task);
      for (const key of delta.deleted) this.#deleteEntry.run(task, key);
      for (const [key, value] of delta.changed) this.#saveEntry.run(task, key, value);
      this.#saveCheckpoint.run(task, delta.stateVersion, delta.version, JSON.stringify(delta.offsets), delta.system);
      return true;
    });
  }

  async get(task: string, key: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.#entry.get(task, key)?.['value'] as Uint8Array | undefined);
  }

  healthy(): Promise<boolean> {
    return Promise.resolve(this.#database.isOpen);
  }

  /** The log owns the file and closes it. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}
