/**
 * Samples that were taken one after the other, as a block has them: sample i at originUs + (first + i) * intervalUs,
 * rounded to whole microseconds, or at times[first + i] where the samples are irregular. Ascending.
 */
export interface Run {
  readonly originUs: number;
  readonly intervalUs: number;
  readonly times?: Float64Array;
  readonly first: number;
  readonly count: number;
}

/** Event time of sample i, microseconds since the epoch. */
export function timeOf(run: Run, i: number): number {
  return run.times === undefined ? Math.round(run.originUs + (run.first + i) * run.intervalUs) : run.times[run.first + i]!;
}

/** Index of the first sample at or after a time; `count` when there is none. */
export function indexAtOrAfter(run: Run, timeUs: number): number {
  let low = 0;
  let high = run.count;
  if (run.times === undefined && run.count > 1) {
    // Rounding moves a sample by half a microsecond at most: the guess is off by a few samples where they are that close.
    const guess = Math.ceil((timeUs - run.originUs) / run.intervalUs) - run.first;
    const slack = Math.ceil(1 / run.intervalUs) + 1;
    if (guess + slack < 0) return 0;
    if (guess - slack > run.count) return run.count;
    low = Math.max(0, guess - slack);
    high = Math.min(run.count, guess + slack);
  }
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (timeOf(run, middle) < timeUs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Samples [from, to) of a run. */
export function part(run: Run, from: number, to: number): Run {
  return { ...run, first: run.first + from, count: to - from };
}

/** Both as one, where b goes on where a ends to the microsecond; undefined where it does not. */
export function joined(a: Run, b: Run): Run | undefined {
  if (a.times !== b.times || a.intervalUs !== b.intervalUs) return undefined;
  const cut = a.originUs === b.originUs && a.first + a.count === b.first;
  // Only whole numbers: with a fraction, times counted from another origin could round to the other side.
  const follows = a.times === undefined && Number.isInteger(a.intervalUs) && a.intervalUs > 0 && a.originUs + (a.first + a.count) * a.intervalUs === b.originUs + b.first * b.intervalUs;
  return cut || follows ? { ...a, count: a.count + b.count } : undefined;
}
