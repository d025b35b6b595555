import type { Line } from './line.js';
import type { Recovery } from './recovery.js';

/** What a disturbance works on. */
export interface Scene {
  readonly line: Line;
  readonly recovery: Recovery;
  /** Aborts when it is to stop. */
  readonly end: AbortSignal;
  /** From 0 to below 1, by the seed. */
  readonly random: () => number;
  /** For what does not hold, a sentence each. */
  readonly failures: string[];
}

/** Something that goes on while the input plays; resolves to how often it broke something. */
export type Disturbance = (scene: Scene) => Promise<number>;
