/** One model as a worker gets it. */
export interface WorkerModel {
  readonly label: string;
  readonly model: Uint8Array;
  readonly batch: number;
  readonly input: { readonly name: string; readonly shape: readonly number[] };
  readonly outputs: readonly { readonly name: string; readonly width: number }[];
}

export type Device = 'cpu' | 'cuda' | 'tensorrt';

/** workerData of worker.ts. */
export interface WorkerSetup {
  readonly models: readonly WorkerModel[];
  /** Tried in order; cpu always works. */
  readonly devices: readonly Device[];
}

/**
 * One batch. The buffer holds the input and, after it, room for every output; it travels to the worker and back without a
 * copy, and ONNX Runtime writes the outputs into it.
 */
export interface Job {
  readonly model: number;
  readonly buffer: ArrayBuffer;
}

export type WorkerAnswer<A> =
  | { readonly type: 'ready'; readonly detail: string }
  /** The worker can't start; it is of no use. */
  | { readonly type: 'failed'; readonly error: string }
  | { readonly type: 'done'; readonly answer: A }
  | { readonly type: 'error'; readonly error: string };
