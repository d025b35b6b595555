/** Area under the receiver operating characteristic: chance that a positive scores above a negative, ties half (Mann and Whitney). NaN without both kinds. */
export function areaUnderCurve(scores: ArrayLike<number>, positive: readonly boolean[]): number {
  const order = positive.map((_, i) => i).sort((a, b) => scores[a]! - scores[b]!);
  let ranks = 0;
  let positives = 0;
  for (let from = 0; from < order.length; ) {
    let to = from + 1;
    while (to < order.length && scores[order[to]!] === scores[order[from]!]) to++;
    for (let i = from; i < to; i++) {
      if (!positive[order[i]!]) continue;
      positives++;
      ranks += (from + to + 1) / 2;
    }
    from = to;
  }
  const negatives = order.length - positives;
  return (ranks - (positives * (positives + 1)) / 2) / (positives * negatives);
}

/** F1 of the positive class: 2 hits / (2 hits + false alarms + missed). */
export function f1Score(predicted: readonly boolean[], actual: readonly boolean[]): number {
  let hits = 0;
  let wrong = 0;
  actual.forEach((each, i) => {
    if (each && predicted[i]) hits++;
    else if (each !== predicted[i]) wrong++;
  });
  return (2 * hits) / (2 * hits + wrong);
}

/** Coefficient of determination: 1 is perfect, 0 as good as the mean of the truth. */
export function rSquared(predicted: ArrayLike<number>, truth: ArrayLike<number>): number {
  let mean = 0;
  for (let i = 0; i < truth.length; i++) mean += truth[i]! / truth.length;
  let residual = 0;
  let total = 0;
  for (let i = 0; i < truth.length; i++) {
    residual += (predicted[i]! - truth[i]!) ** 2;
    total += (truth[i]! - mean) ** 2;
  }
  return 1 - residual / total;
}
