import type { InferencePriority, ModelDescription } from '@millwright/models';

/** A version of a model that can judge. */
export interface Version {
  readonly model: ModelDescription;
  /**
   * Runs rows, float32 [n, history, features], and resolves to the outputs, float32 [n, width] each, in the order of
   * `ModelDescription.outputs`; waits for a place, and for the model to be loaded.
   */
  run(rows: Float32Array, priority: InferencePriority): Promise<readonly Float32Array[]>;
}

/** Which versions of a model judge a window. */
export interface VersionsInForce {
  /** What is acted on; undefined for the package beside the plant file. */
  readonly acting: Version | undefined;
  readonly shadows: readonly Version[];
}

/** What the registry says, by event time; it has all that holds before anything is judged by it. */
export interface VersionSource {
  /** Of windows of an asset that end at `endUs`. */
  at(model: string, asset: string, endUs: number): VersionsInForce;
}

/** Where no registry is: the packages beside the plant file act, and nothing is in the shadow. */
export const NO_REGISTRY: VersionSource = { at: () => ({ acting: undefined, shadows: [] }) };
