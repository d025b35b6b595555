/**
 * Makes what is said window by window follow the course of a process: a hidden Markov filter whose states are the classes,
 * which stay as they are but for a small chance at each step (Rabiner 1989, Proc. IEEE 77(2), forward recursion). Windows that
 * overlap say the same thing again, so each counts for a share only.
 */
export interface Persistence {
  /** Chance that the class changes from one window to the next. */
  readonly change: number;
  /** Exponent of the probabilities of a window: 1 for independent windows, about 1 / overlap for overlapping ones. */
  readonly evidence: number;
}

/** A window can't rule a class out: the window after it may show that there was a mistake. */
const LEAST_PROBABILITY = 1e-3;

/** What is believed before the first window: that it is the class `start`. */
export function initialBelief(classes: number, start: number): Float64Array {
  const belief = new Float64Array(classes);
  belief[start] = 1;
  return belief;
}

/**
 * What is believed after a window.
 * @param before probability of each class after the window before
 * @param said what a model says of the window alone, by class
 */
export function filterWindow(before: Float64Array, said: ArrayLike<number>, { change, evidence }: Persistence): Float64Array {
  const classes = before.length;
  const belief = new Float64Array(classes);
  let sum = 0;
  for (let i = 0; i < classes; i++) {
    const expected = (1 - change) * before[i]! + (change * (1 - before[i]!)) / (classes - 1);
    sum += belief[i] = expected * Math.max(LEAST_PROBABILITY, said[i]!) ** evidence;
  }
  for (let i = 0; i < classes; i++) belief[i]! /= sum;
  return belief;
}

/**
 * @param said [windows, classes] of one run, in time order
 * @param start class before the first
 * @returns the same shape; window t depends on windows up to t only
 */
export function filterWindows(said: ArrayLike<number>, classes: number, start: number, persistence: Persistence): Float64Array {
  const result = new Float64Array(said.length);
  let belief = initialBelief(classes, start);
  for (let at = 0; at < said.length; at += classes) {
    belief = filterWindow(belief, Array.from({ length: classes }, (_, i) => said[at + i]!), persistence);
    result.set(belief, at);
  }
  return result;
}
