/** What a model is to learn. */
export const TASKS = ['diagnosis', 'rul', 'anomaly', 'quality'] as const;
export type Task = (typeof TASKS)[number];

export const isClassified = (task: Task): boolean => task === 'diagnosis' || task === 'anomaly';

/** One run of one asset: feature vectors in time order, a step each. */
export interface Run {
  readonly name: string;
  readonly asset: string;
  readonly steps: number;
  /** [steps, features]; NaN where there is no value. */
  readonly values: Float32Array;
  /** By step: index into labels, or the target; NaN where it is not known. */
  readonly truths: Float64Array;
  /** Where the data itself says which part the run is of. */
  readonly part?: 'train' | 'validation' | 'test';
}

/** A folder of labelled runs, as read. */
export interface LabelledRuns {
  /** Of the data set: lower-case letters, digits, hyphens. */
  readonly name: string;
  /** What it is, for manifests. */
  readonly description: string;
  /** Asset kinds that models of it judge. */
  readonly kinds: readonly string[];
  /** "<signal>.<feature>". */
  readonly features: readonly string[];
  /** Empty where targets are numbers. */
  readonly labels: readonly string[];
  readonly normal: string;
  readonly quantity: string;
  readonly unit: string;
  readonly runs: readonly Run[];
  /** Of the bytes of all files read. */
  readonly sha256: string;
  readonly defaults: { readonly history: number; readonly split: SplitKind };
}

/** By which whole things rows are divided: runs, assets, or stretches of time within each run. */
export const SPLITS = ['run', 'asset', 'time'] as const;
export type SplitKind = (typeof SPLITS)[number];
