/** How well classes were told apart. */
export interface Evaluation {
  readonly rows: number;
  /** Share of rows that were right. */
  readonly accuracy: number;
  /** Mean over the classes that occur of the share of their rows that were right. */
  readonly balancedAccuracy: number;
  /** Mean F1 over the classes that occur or were predicted. */
  readonly macroF1: number;
  /** Share of rows that were right, by class; NaN for one that does not occur. */
  readonly recall: Float64Array;
  /** Rows of class i that were judged j, at [i * classes + j]. */
  readonly confusion: Uint32Array;
}

/**
 * @param scores probabilities or logits, [rows, classes]
 * @param truth class of each row
 */
export function evaluate(scores: ArrayLike<number>, truth: Int32Array, classes: number): Evaluation {
  const confusion = new Uint32Array(classes * classes);
  truth.forEach((actual, row) => {
    let winner = 0;
    for (let i = 1; i < classes; i++) if (scores[row * classes + i]! > scores[row * classes + winner]!) winner = i;
    confusion[actual * classes + winner]!++;
  });
  const recall = new Float64Array(classes);
  let right = 0;
  let recalls = 0;
  let occurring = 0;
  let f1 = 0;
  let seen = 0;
  for (let i = 0; i < classes; i++) {
    const hits = confusion[i * classes + i]!;
    let actual = 0;
    let predicted = 0;
    for (let j = 0; j < classes; j++) {
      actual += confusion[i * classes + j]!;
      predicted += confusion[j * classes + i]!;
    }
    right += hits;
    recall[i] = hits / actual;
    if (actual > 0) {
      recalls += hits / actual;
      occurring++;
    }
    if (actual + predicted > 0) {
      f1 += (2 * hits) / (actual + predicted);
      seen++;
    }
  }
  return { rows: truth.length, accuracy: right / truth.length, balancedAccuracy: recalls / occurring, macroF1: f1 / seen, recall, confusion };
}
