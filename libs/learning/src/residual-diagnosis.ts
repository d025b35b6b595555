import { fitAutoregression, meanOfPast, residualsOf, type Autoregression, type AutoregressionOptions } from './autoregression.js';
import { fitClassClouds, logDensities, type ClassClouds, type CloudOptions } from './class-clouds.js';
import { joinRows, rowsBetween, type Matrix } from './matrix.js';
import { scaleOf } from './moments.js';
import { softmax } from './network.js';

export interface ResidualDiagnosisOptions extends AutoregressionOptions, Omit<CloudOptions, 'common'> {
  /** Over how many of the last rows the mean is taken that the second forecast is. */
  readonly memory: number;
  /** Index of normal operation among the classes. */
  readonly normal: number;
  /** How much a row's density counts: 1 if rows were independent and densities exact, less as they aren't. */
  readonly evidence: number;
}

/** A forecast of the next row, and how rows differ from it in each class. */
interface View {
  readonly forecast: Autoregression;
  readonly clouds: ClassClouds;
}

/** Classes of a process by how its rows differ from what was to be expected. */
export interface ResidualDiagnosis {
  readonly mean: Float64Array;
  readonly std: Float64Array;
  readonly views: readonly View[];
  readonly evidence: number;
}

/** Parts of each stretch of normal operation that are foretold by what the others teach. */
const FOLDS = 5;

/**
 * Diagnosis from residuals (Isermann 2006, Fault-Diagnosis Systems): where and how they spread tells classes apart, and a fault
 * that varies at random shows in their covariance even where its course is never the same again. There are two forecasts, whose
 * densities count alike. What normal operation's autoregression leaves keeps the level that a fault brings; what the mean of the last
 * rows leaves does not, and holds on where a fault drifts to levels that training did not see.
 *
 * Residuals of normal rows are those of autoregressions that have not seen them: of rows that it was fitted on it leaves too little,
 * and unseen normal rows would look like a fault.
 * @param stretchesByClass rows in time order, without missing values. The first `pastRows(options)` of a stretch are only looked back
 * on, and may be of another class: what the fault came after
 */
export function fitResidualDiagnosis(stretchesByClass: readonly (readonly Matrix[])[], options: ResidualDiagnosisOptions): ResidualDiagnosis {
  const { normal, memory } = options;
  const past = pastRows(options);
  const { mean, std } = scaleOf(stretchesByClass[normal]!);
  const scaled = stretchesByClass.map((stretches) => stretches.map((stretch) => standardised(stretch, mean, std)));
  const left = (forecast: Autoregression, stretches: readonly Matrix[]): Matrix => joinRows(stretches.map((stretch) => rowsBetween(residualsOf(forecast, stretch), past, stretch.rows)));
  const dynamics = fitAutoregression(scaled[normal]!, options);
  const unseen = joinRows(foldsOf(scaled[normal]!, past).map(({ held, others }) => left(fitAutoregression(others, options), held)));
  const steady = meanOfPast(memory, mean.length);
  const viewOf = (forecast: Autoregression, residuals: readonly Matrix[]): View => ({ forecast, clouds: fitClassClouds(residuals, { ...options, common: normal }) });
  return {
    mean,
    std,
    views: [
      viewOf(dynamics, scaled.map((stretches, index) => (index === normal ? unseen : left(dynamics, stretches)))),
      viewOf(steady, scaled.map((stretches) => left(steady, stretches))),
    ],
    evidence: options.evidence,
  };
}

/** How many rows before the first that is learned from are looked back on. */
export function pastRows({ lags, memory }: Pick<ResidualDiagnosisOptions, 'lags' | 'memory'>): number {
  return Math.max(lags, memory);
}

/** Probabilities of the classes, all alike before a row is seen: [rows, classes]. Row t depends on rows up to t only. */
export function predictResidualDiagnosis({ mean, std, views, evidence }: ResidualDiagnosis, run: Matrix): Float64Array {
  const scaled = standardised(run, mean, std);
  const classes = views[0]!.clouds.clouds.length;
  const densities = new Float64Array(run.rows * classes);
  for (const { forecast, clouds } of views) logDensities(clouds, residualsOf(forecast, scaled)).forEach((density, i) => (densities[i]! += density));
  return softmax(densities.map((density) => evidence * density), classes);
}

/** Each stretch cut into so many parts, and what is left without the i-th of each. */
function foldsOf(stretches: readonly Matrix[], past: number): { held: Matrix[]; others: Matrix[] }[] {
  return Array.from({ length: FOLDS }, (_, fold) => {
    const cuts = stretches.map((stretch) => {
      const at = (edge: number): number => past + Math.floor((edge * (stretch.rows - past)) / FOLDS);
      return { stretch, from: at(fold), to: at(fold + 1) };
    });
    return {
      held: cuts.map(({ stretch, from, to }) => rowsBetween(stretch, from - past, to)),
      others: cuts.flatMap(({ stretch, from, to }) => [rowsBetween(stretch, 0, from), rowsBetween(stretch, to, stretch.rows)]),
    };
  });
}

function standardised({ values, rows, columns }: Matrix, mean: Float64Array, std: Float64Array): Matrix {
  return { values: values.map((value, i) => (value - mean[i % columns]!) / std[i % columns]!), rows, columns };
}
