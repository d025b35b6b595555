import type { Trained } from './curve.js';
import type { AnomalyFigures, DiagnosisFigures, RegressionFigures } from './figures.js';
import type { SplitKind, Task } from './runs.js';

export type Figures =
  | ({ readonly kind: 'diagnosis' } & DiagnosisFigures)
  | ({ readonly kind: 'regression' } & RegressionFigures)
  | ({ readonly kind: 'anomaly' } & AnomalyFigures);

/** One model of a comparison. */
export interface Compared {
  readonly model: string;
  readonly figures: Figures;
  /** Without for a baseline, which has no package. */
  readonly package?: { readonly folder: string; readonly bytes: number; readonly windowsPerSecond: number; readonly sha256: string };
  readonly trained?: Trained;
}

/** comparison.json. */
export interface Comparison {
  readonly format: 'millwright-comparison/1';
  readonly task: Task;
  readonly data: string;
  readonly dataSha256: string;
  readonly command: string;
  readonly labels: readonly string[];
  readonly unit: string;
  readonly history: number;
  readonly features: number;
  readonly seed: number;
  readonly split: {
    readonly by: SplitKind;
    /** Windows by part. */
    readonly windows: Readonly<Record<string, number>>;
    /** Labelled rows without a window: their history crosses the beginning of a run or of a part. */
    readonly dropped: number;
    /** Names of runs by the parts that they have windows in, such as "train+validation". */
    readonly runs: Readonly<Record<string, readonly string[]>>;
  };
  readonly models: readonly Compared[];
}
