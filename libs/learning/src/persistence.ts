/**
 * Makes what is said window by window follow the course of a process: a hidden Markov filter whose states are the classes,
 * which stay as they are but for a small chance at each step (Rabiner 1989, Proc. IEEE 77(2), forward recursion). Windows that
 * overlap say the same thing again, so each counts for a share only.
 */
export interface PersistenceOptions {
  /** Chance that the class changes from one row to the next. */
  readonly change: number;
  /** Exponent of the probabilities of a row: 1 for independent rows, about 1 / overlap for overlapping windows. */
  readonly evidence: number;
  /** Class at the beginning; every class alike where it is not given. */
  readonly start?: number;
}

/**
 * @param probabilities [rows, classes] of one run, in time order
 * @returns the same shape; row t depends on rows up to t only
 */
export function filterSequence(probabilities: Float64Array, classes: number, { change, evidence, start }: PersistenceOptions): Float64Array {
  const result = new Float64Array(probabilities.length);
  let state = new Float64Array(classes).fill(1 / classes);
  if (start !== undefined) state = state.map((_, i) => (i === start ? 1 : 0));
  for (let at = 0; at < probabilities.length; at += classes) {
    let sum = 0;
    for (let i = 0; i < classes; i++) {
      const before = (1 - change) * state[i]! + (change * (1 - state[i]!)) / (classes - 1);
      sum += state[i] = before * Math.max(1e-3, probabilities[at + i]!) ** evidence;
    }
    for (let i = 0; i < classes; i++) result[at + i] = state[i]! /= sum;
  }
  return result;
}
