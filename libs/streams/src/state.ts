/** A checkpoint of one task (processor and partition): all of its state as of the offsets it names. */
export interface Checkpoint {
  /** Format of the runtime and of the processor's state; see Processor.stateVersion. */
  readonly stateVersion: number;
  /** Counts the records that the task has processed; it only grows, so an older writer is recognised by it. */
  readonly version: number;
  /** Next offset to read, by topic. */
  readonly offsets: Readonly<Record<string, number>>;
  /** The runtime's own part: ledger, sequences, watermarks, timers; encoded. */
  readonly system: Uint8Array;
}

/** What changed since the last save. */
export interface CheckpointDelta extends Checkpoint {
  /** Entries to write by key. */
  readonly changed: ReadonlyMap<string, Uint8Array>;
  readonly deleted: readonly string[];
}

/** Where checkpoints are kept: Redis, the embedded log's SQLite file, or memory. */
export interface StateStore {
  /** The last checkpoint of the task with all its entries, or undefined when there is none (never made, or lost). */
  load(task: string): Promise<{ checkpoint: Checkpoint; entries: Map<string, Uint8Array> } | undefined>;
  /**
   * Applies the delta atomically. Refuses (false) when what is stored has a greater `version`: a newer owner wrote it.
   * `replace` drops all earlier entries first.
   * @throws CheckpointLostError when the store has lost what the delta builds on; it takes nothing then but a `replace` with all entries.
   */
  save(task: string, delta: CheckpointDelta, replace: boolean): Promise<boolean>;
  /** One entry of a task, for the read side; as old as the last checkpoint. */
  get(task: string, key: string): Promise<Uint8Array | undefined>;
  /** Whether the store answers now. */
  healthy(): Promise<boolean>;
  close(): Promise<void>;
}

/** Raised by StateStore.save for changes to a checkpoint that the store no longer has. */
export class CheckpointLostError extends Error {
  override readonly name = 'CheckpointLostError';
}

/** Name of a task's checkpoint. */
export const taskName = (processor: string, partition: number): string => `${processor}/${partition}`;
