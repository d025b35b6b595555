import type { ModelPackage } from './package.js';

/** Runs models. Each worker of an engine can run any of the packages that it holds, and has run each once before it gets work. */
export interface InferenceEngine {
  /** "onnx" or "tfjs". */
  readonly name: string;
  /** Device in use: "cpu", "cuda" or "tensorrt"; of tfjs the package in use: "tfjs-node-gpu", "tfjs-node" or "tfjs". */
  readonly device: string;
  /** Those that can be run now. */
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
  /**
   * Takes a package up: resolves when every worker holds it and has run it once. What runs meanwhile is not held up.
   * Several versions of a model are several packages.
   * @throws EngineStartError when it can't be loaded; the engine goes on with what it holds.
   */
  load(model: ModelPackage): Promise<void>;
  /**
   * Refuses new batches of a package, lets running ones end and gives its memory back; resolves then. A package that is
   * not held is no error.
   * @throws EngineError when workers could not be replaced; the package is gone all the same, its memory is not.
   */
  unload(model: ModelPackage): Promise<void>;
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

/** A batch could not be run: the model failed on it or is not held, workers kept dying of it, or the engine was closed. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
}

/** The engine does not hold the package, or no longer. */
export class NotLoadedError extends EngineError {}

/** A graph can't be loaded or run, or is not what its manifest says. */
export class EngineStartError extends EngineError {
  readonly badInput = true;
}

/** Where an engine says what it uses and what went wrong. */
export interface EngineLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}
