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
  /** Batches that one call of run can take. */
  mostBatches(model: ModelPackage): number;
  /**
   * Runs `batches` batches of the package's fixed shape, one after the other on one worker. Together in one call they cost
   * little more than their computing; one by one, small models spend most of their time on the way to the worker.
   * @param fill writes the input, float32 [batches × batch, history, features], before run returns; the buffer holds
   * anything at first
   * @throws EngineError
   */
  run(model: ModelPackage, batches: number, fill: (input: Float32Array) => void): Promise<RunResult>;
  /** Lets running batches end, refuses new ones and stops the workers. */
  close(): Promise<void>;
}

export interface RunResult {
  /**
   * float32 [batches × batch, width] each, in the order of `ModelPackage.outputs`. They are valid until the callbacks of the
   * promise that brought them end: copy what is to be kept.
   */
  readonly outputs: readonly Float32Array[];
  /** Time that the worker spent on it. */
  readonly milliseconds: number;
}

/** A batch could not be run: the model failed on it, workers kept dying of it, or the engine was closed. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
}

/** No engine could be started: a graph can't be loaded, or is not what its manifest says. */
export class EngineStartError extends EngineError {
  readonly badInput = true;
}

/** Where an engine says what it uses and what went wrong. */
export interface EngineLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}
