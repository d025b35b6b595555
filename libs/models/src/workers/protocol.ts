/** One model as a worker gets it. */
export interface WorkerModel {
  /** Not used for another package, ever. */
  readonly id: number;
  readonly label: string;
  readonly model: Uint8Array;
  /** Files of weights that the model names; none where they are in it. */
  readonly weights: ReadonlyMap<string, Uint8Array>;
  readonly batch: number;
  readonly input: { readonly name: string; readonly shape: readonly number[] };
  readonly outputs: readonly { readonly name: string; readonly width: number }[];
}

/** workerData of workers. */
export interface WorkerSetup {
  readonly models: readonly WorkerModel[];
  /** Tried in order. */
  readonly devices: readonly string[];
}

/**
 * Memory that main thread and workers share, for up to `capacity` batches: the input of all of them, then room for every
 * output of all of them. The main thread writes the input, a worker has its runtime write the outputs, nothing is copied
 * or moved on the way, and a batch outlives the worker that dies of it.
 */
export interface Slot {
  readonly id: number;
  /** WorkerModel.id. */
  readonly model: number;
  readonly capacity: number;
  readonly memory: SharedArrayBuffer;
}

export interface Job {
  readonly slot: number;
  readonly batches: number;
  /** The slot itself, when it is new to this worker. */
  readonly introduce?: Slot;
}

/** Milliseconds that the job took. */
export type JobAnswer = number;

export type WorkerAnswer<A> =
  | { readonly type: 'ready'; readonly detail: string }
  /** The worker can't start; it is of no use. */
  | { readonly type: 'failed'; readonly error: string }
  | { readonly type: 'done'; readonly answer: A }
  | { readonly type: 'error'; readonly error: string };
