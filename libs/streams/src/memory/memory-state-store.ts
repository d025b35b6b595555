import type { Checkpoint, CheckpointDelta, StateStore } from '../state.js';

interface Task {
  readonly checkpoint: Checkpoint;
  readonly entries: ReadonlyMap<string, Uint8Array>;
}

/** Checkpoints that end with the process: every start rebuilds its state from the log. */
export class MemoryStateStore implements StateStore {
  readonly #tasks = new Map<string, Task>();

  load(task: string): Promise<{ checkpoint: Checkpoint; entries: Map<string, Uint8Array> } | undefined> {
    const stored = this.#tasks.get(task);
    return Promise.resolve(stored && { checkpoint: stored.checkpoint, entries: new Map(stored.entries) });
  }

  save(task: string, delta: CheckpointDelta, replace: boolean): Promise<boolean> {
    const stored = this.#tasks.get(task);
    if (stored !== undefined && stored.checkpoint.version > delta.version) return Promise.resolve(false);
    const entries = new Map(replace ? [] : stored?.entries);
    for (const key of delta.deleted) entries.delete(key);
    for (const [key, value] of delta.changed) entries.set(key, value);
    const { stateVersion, version, offsets, system } = delta;
    this.#tasks.set(task, { checkpoint: { stateVersion, version, offsets, system }, entries });
    return Promise.resolve(true);
  }

  get(task: string, key: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.#tasks.get(task)?.entries.get(key));
  }

  healthy(): Promise<boolean> {
    return Promise.resolve(true);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
