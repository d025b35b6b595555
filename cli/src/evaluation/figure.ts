import type { DataFolder } from './data-folder.js';

/** One figure of the suite. With goal null it is reported only. */
export interface Figure {
  readonly name: string;
  /** Median over the rounds. */
  readonly value: number;
  readonly goal: number | null;
  readonly better: 'higher' | 'lower';
  readonly unit: string;
  /** Least and greatest value over the rounds: seeds or splits, as the benchmark says. */
  readonly spread: readonly [number, number];
}

/** What a figure is, before it is measured. */
export type FigureSpec = Pick<Figure, 'name' | 'goal' | 'better' | 'unit'> & {
  /** What others got, in short; empty where nothing comparable was found. */
  readonly published: string;
};

/** Values of the rounds of each figure by name; a figure that the data does not allow is left out. */
export type Measured = Readonly<Record<string, readonly number[]>>;

/** Measures figures on one data set. */
export interface Benchmark {
  readonly name: string;
  /** Its folder in the data folder. */
  readonly folder: string;
  readonly figures: readonly FigureSpec[];
  /** @param note takes what the figures alone don't say, a line at a time */
  measure(data: DataFolder, note: (line: string) => void): Promise<Measured>;
}

export function figureOf({ name, goal, better, unit }: FigureSpec, values: readonly number[]): Figure {
  return { name, value: round(medianOf(values)), goal, better, unit, spread: [round(Math.min(...values)), round(Math.max(...values))] };
}

/** NaN of nothing. */
export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export const meanOf = (values: readonly number[]): number => values.reduce((sum, each) => sum + each, 0) / values.length;

export const reached = ({ goal, better, value }: Figure): boolean => goal === null || (better === 'higher' ? value >= goal : value <= goal);

/** Four significant digits: more would be noise. */
const round = (value: number): number => Number(value.toPrecision(4));
