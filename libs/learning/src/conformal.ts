/** Share of held-out predictions that an interval is taken from. */
const NEAR = 0.1;

/**
 * Half width of prediction intervals: the quantile of absolute residuals among the tenth of held-out predictions that lie
 * nearest, so that intervals are narrow where the model is sure (split conformal prediction, localised by the prediction:
 * Lei et al. 2018, J. Am. Stat. Assoc. 113, section 5).
 * @param predicted what models said of rows that they were not fitted on
 * @param truth what was true of them
 * @param coverage share of truths that intervals are to hold, 0 to 1
 * @returns half width by prediction; infinite where there are too few held-out rows for the coverage
 */
export function conformalHalfWidth(predicted: ArrayLike<number>, truth: ArrayLike<number>, coverage: number): (prediction: number) => number {
  const order = Array.from({ length: truth.length }, (_, i) => i).sort((a, b) => predicted[a]! - predicted[b]!);
  const at = Float64Array.from(order, (row) => predicted[row]!);
  const residuals = Float64Array.from(order, (row) => Math.abs(predicted[row]! - truth[row]!));
  const near = Math.max(1, Math.floor(order.length * NEAR));
  const rank = Math.ceil(coverage * (near + 1)) - 1;
  return (prediction) => {
    if (rank >= near) return Infinity;
    const above = at.findIndex((each) => each >= prediction);
    const middle = above < 0 ? at.length : above;
    const from = Math.max(0, Math.min(at.length - near, middle - (near >> 1)));
    return residuals.slice(from, from + near).sort()[rank]!;
  };
}
