import type { DiagnosisManifest } from '@millwright/models';
import { filterWindows } from '@millwright/signal';

export type Filter = NonNullable<DiagnosisManifest['filter']>;

/** What a model that has not seen these windows says of them, in time order within each run. */
export interface Judgements {
  /** [rows, classes] */
  readonly probabilities: Float64Array;
  /** True class, by row. */
  readonly classes: Int32Array;
  /** By row; where it changes, the filter begins anew. */
  readonly stretches: ArrayLike<number>;
}

const EVIDENCES = [0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1];
const LEAST_PROBABILITY = 1e-12;

/**
 * The filter over time under which the truth is most likely (least cross-entropy over the second half of each stretch). Each stretch begins
 * after good health, as a fault in life does, and has its first half to follow: so a filter pays for being slower than that, and for being
 * surer than it is right, but not for thinking twice. How often the class changes is given: how long stretches last says nothing of life.
 * @param healthy class of good health
 * @param weights of each class
 * @param change chance that the class changes from one window to the next
 */
export function fitFilter({ probabilities, classes, stretches }: Judgements, healthy: number, weights: readonly number[], change: number): Filter {
  const width = weights.length;
  const rows = classes.length;
  const begins = Array.from({ length: rows }, (_, row) => row).filter((row) => row === 0 || stretches[row] !== stretches[row - 1]);
  const lossOf = (filter: Filter): number => {
    let loss = 0;
    begins.forEach((from, i) => {
      const to = begins[i + 1] ?? rows;
      const filtered = filterWindows(probabilities.subarray(from * width, to * width), width, healthy, filter);
      for (let row = Math.floor((from + to) / 2); row < to; row++) loss -= weights[classes[row]!]! * Math.log(Math.max(LEAST_PROBABILITY, filtered[(row - from) * width + classes[row]!]!));
    });
    return loss;
  };
  const tried = EVIDENCES.map((evidence) => ({ filter: { change, evidence }, loss: lossOf({ change, evidence }) }));
  return tried.reduce((best, each) => (each.loss < best.loss ? each : best)).filter;
}
