/** One measured figure, as printed by `npm run bench -- --json`. */
export interface Figure {
  readonly name: string;
  /** Median over the rounds. */
  readonly value: number;
  readonly goal: number;
  readonly better: 'higher' | 'lower';
  readonly unit: string;
  /** Least and greatest value over the rounds. */
  readonly spread: readonly [number, number];
}

/** A measurement: yields one or more figures that come out of the same run. */
export interface Measurement {
  /** Names of the figures it yields, for choosing on the command line. */
  readonly figures: readonly string[];
  readonly what: string;
  measure(progress: (line: string) => void): Promise<readonly Figure[]>;
}

/** A figure from the values of its rounds. */
export function figure(name: string, values: readonly number[], goal: number, better: 'higher' | 'lower', unit: string): Figure {
  if (values.length === 0) throw new Error(`figure ${name}: no round was measured`);
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { name, value: round(median), goal, better, unit, spread: [round(sorted[0]!), round(sorted.at(-1)!)] };
}

export const reached = (f: Figure): boolean => (f.better === 'higher' ? f.value >= f.goal : f.value <= f.goal);

/** Four significant digits: more would be noise. */
const round = (value: number): number => Number(value.toPrecision(4));

/** The q-quantile of `values` (nearest rank). */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? NaN;
}
