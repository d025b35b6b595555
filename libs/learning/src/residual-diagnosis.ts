import { fitAutoregression, residualsOf, type Autoregression, type AutoregressionOptions } from './autoregression.js';
import { fitClassClouds, logDensities, type ClassClouds, type CloudOptions } from './class-clouds.js';
import { joinRows, rowsBetween, type Matrix } from './matrix.js';

export interface ResidualDiagnosisOptions extends AutoregressionOptions, Omit<CloudOptions, 'common'> {
  /** Index of normal operation among the classes. */
  readonly normal: number;
  /** How much a row's density counts: 1 if rows were independent and densities exact, less as they aren't. */
  readonly evidence: number;
}

/** Classes of a process by what of each row normal operation does not foretell. */
export interface ResidualDiagnosis {
  readonly mean: Float64Array;
  readonly std: Float64Array;
  readonly autoregression: Autoregression;
  readonly clouds: ClassClouds;
  readonly evidence: number;
}

/** Parts of each stretch of normal operation that are foretold by what the others teach. */
const FOLDS = 5;

/**
 * Diagnosis from residuals: what the dynamics of normal operation leave unexplained of a row (Isermann 2006, Fault-Diagnosis
 * Systems, 7 and 10) is told apart by where and how it spreads in each class. A fault that varies at random shows in the
 * covariance even where its course is never the same again. Residuals of normal rows are those of autoregressions that have not
 * seen them: of rows that it was fitted on it leaves too little, and unseen normal rows would look like a fault.
 * @param stretchesByClass rows in time order, without missing values. The first `lags` rows of a stretch are only looked back
 * on, and may be of another class: what the fault came after
 */
export function fitResidualDiagnosis(stretchesByClass: readonly (readonly Matrix[])[], options: ResidualDiagnosisOptions): ResidualDiagnosis {
  const { lags, normal } = options;
  const { mean, std } = scaleOf(joinRows(stretchesByClass[normal]!));
  const scaled = stretchesByClass.map((stretches) => stretches.map((stretch) => standardised(stretch, mean, std)));
  const autoregression = fitAutoregression(scaled[normal]!, options);
  const judged = (model: Autoregression, stretch: Matrix): Matrix => rowsBetween(residualsOf(model, stretch), lags, stretch.rows);
  const unseen = foldsOf(scaled[normal]!, lags).flatMap(({ held, others }) => {
    const model = fitAutoregression(others, options);
    return held.map((part) => judged(model, part));
  });
  const residuals = scaled.map((stretches, index) => joinRows(index === normal ? unseen : stretches.map((stretch) => judged(autoregression, stretch))));
  return { mean, std, autoregression, clouds: fitClassClouds(residuals, { ...options, common: normal }), evidence: options.evidence };
}

/** Probabilities of the classes, all alike before a row is seen: [rows, classes]. Row t depends on rows up to t only. */
export function predictResidualDiagnosis({ mean, std, autoregression, clouds, evidence }: ResidualDiagnosis, run: Matrix): Float64Array {
  const result = logDensities(clouds, residualsOf(autoregression, standardised(run, mean, std)));
  const classes = clouds.clouds.length;
  for (let at = 0; at < result.length; at += classes) {
    const row = result.subarray(at, at + classes);
    const most = row.reduce((a, b) => Math.max(a, b));
    let sum = 0;
    for (let i = 0; i < classes; i++) sum += row[i] = Math.exp(evidence * (row[i]! - most));
    for (let i = 0; i < classes; i++) row[i]! /= sum;
  }
  return result;
}

/** Each stretch cut into so many parts, and what is left without the i-th of each. */
function foldsOf(stretches: readonly Matrix[], lags: number): { held: Matrix[]; others: Matrix[] }[] {
  return Array.from({ length: FOLDS }, (_, fold) => {
    const cuts = stretches.map((stretch) => ({ stretch, from: lags + Math.floor((fold * (stretch.rows - lags)) / FOLDS), to: lags + Math.floor(((fold + 1) * (stretch.rows - lags)) / FOLDS) }));
    return {
      held: cuts.map(({ stretch, from, to }) => rowsBetween(stretch, from - lags, to)),
      others: cuts.flatMap(({ stretch, from, to }) => [rowsBetween(stretch, 0, from), rowsBetween(stretch, to, stretch.rows)]),
    };
  });
}

function scaleOf({ values, rows, columns }: Matrix): { mean: Float64Array; std: Float64Array } {
  const mean = new Float64Array(columns);
  const std = new Float64Array(columns);
  for (let i = 0; i < values.length; i++) mean[i % columns]! += values[i]! / rows;
  for (let i = 0; i < values.length; i++) std[i % columns]! += (values[i]! - mean[i % columns]!) ** 2 / rows;
  return { mean, std: std.map((variance) => Math.sqrt(variance) || 1) };
}

function standardised({ values, rows, columns }: Matrix, mean: Float64Array, std: Float64Array): Matrix {
  return { values: values.map((value, i) => (value - mean[i % columns]!) / std[i % columns]!), rows, columns };
}
