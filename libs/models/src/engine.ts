import type { ModelPackage } from './package.js';

/** Runs models. An engine holds the packages that it was started with; each of its workers can run any of them. */
export interface InferenceEngine {
  /** "onnx". */
  readonly name: string;
  /** Device in use: "cpu", "cuda" or "tensorrt". */
  readonly device: string;
  readonly packages: readonly ModelPackage[];
  /** Batches that run at the same time. More may be given; they wait inside the engine. */
  readonly workers: number;
  /**
   * Runs one batch of the package's fixed shape and resolves to its outputs, float32 [batch, width] each, in the order of
   * `ModelPackage.outputs`. They are valid until the resolved promise's callbacks end: copy what is to be kept.
   *
   * `fill` writes the batch's input, float32 [batch, history, features]; the buffer holds anything at first. It is called
   * again when the batch has to be given to another worker, so what it reads must stay until the promise settles.
   * @throws EngineError
   */
  run(model: ModelPackage, fill: (input: Float32Array) => void): Promise<readonly Float32Array[]>;
  /** Lets running batches end, refuses new ones and stops the workers. */
  close(): Promise<void>;
}

/** A batch could not be run: the model failed on it, workers kept dying of it, or the engine was closed. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
}

/** Where an engine says what it uses and what went wrong. */
export interface EngineLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}
