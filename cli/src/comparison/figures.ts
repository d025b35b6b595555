import { areaUnderCurve, evaluate, f1Score } from '@millwright/learning';
import { medianOf } from '../evaluation/figure.js';

/** What a classifier did on test windows. Shares are 0 to 1; NaN where the data has nothing to measure it by. */
export interface DiagnosisFigures {
  readonly rows: number;
  readonly accuracy: number;
  readonly macroF1: number;
  readonly classes: readonly { readonly label: string; readonly rows: number; readonly precision: number; readonly recall: number; readonly f1: number }[];
  /** [true][judged] */
  readonly confusion: readonly (readonly number[])[];
  /** Expected calibration error, and what it is made of. */
  readonly calibrationError: number;
  readonly reliability: readonly ReliabilityBin[];
  readonly detection: Detection;
  /** Share of windows that were labelled unknown; undefined without a threshold. */
  readonly unknown?: number;
}

export interface ReliabilityBin {
  /** Mean confidence and share of right judgements of the windows in it. */
  readonly confidence: number;
  readonly accuracy: number;
  readonly rows: number;
}

/** Beginnings of faults in test runs: windows of normal operation and then of the fault. */
export interface Detection {
  readonly faults: number;
  readonly found: number;
  /** Windows from the beginning to the first judged right, median of those found. */
  readonly medianDelay: number;
  /** Share of normal windows that were not judged normal. */
  readonly falseAlarms: number;
}

export interface RegressionFigures {
  readonly rows: number;
  readonly rmse: number;
  readonly mae: number;
  /** Share of truths in the interval, and its mean width. */
  readonly coverage: number;
  readonly width: number;
  /** True value, and what was said of it. */
  readonly points: readonly (readonly [truth: number, said: number])[];
}

export interface AnomalyFigures {
  readonly rows: number;
  readonly auc: number;
  readonly f1: number;
  readonly detection: Detection;
}

const BINS = 15;
/** Points of a scatter plot. */
const MOST_POINTS = 600;

/** Expected calibration error over bins of equal width (Naeini, Cooper and Hauskrecht 2015, AAAI). */
export function reliabilityOf(confidences: ArrayLike<number>, right: ArrayLike<boolean>): { error: number; bins: ReliabilityBin[] } {
  const sums = Array.from({ length: BINS }, () => ({ confidence: 0, right: 0, rows: 0 }));
  for (let row = 0; row < confidences.length; row++) {
    const bin = sums[Math.min(BINS - 1, Math.floor(confidences[row]! * BINS))]!;
    bin.confidence += confidences[row]!;
    bin.right += right[row] ? 1 : 0;
    bin.rows++;
  }
  const bins = sums.filter(({ rows }) => rows > 0).map((bin) => ({ confidence: bin.confidence / bin.rows, accuracy: bin.right / bin.rows, rows: bin.rows }));
  return { error: bins.reduce((sum, { confidence, accuracy, rows }) => sum + (rows / confidences.length) * Math.abs(confidence - accuracy), 0), bins };
}

/**
 * @param runs of each window; windows of a run follow each other in time
 * @param truths 0 for normal
 * @param isFound whether a window of a fault was judged as is right
 * @param isAlarm whether a window was judged not normal
 */
export function detectionOf(runs: ArrayLike<number>, truths: ArrayLike<number>, isFound: (row: number) => boolean, isAlarm: (row: number) => boolean): Detection {
  const delays: number[] = [];
  let [faults, normal, alarms] = [0, 0, 0];
  for (let row = 0; row < truths.length; row++) {
    if (truths[row] === 0) {
      normal++;
      if (isAlarm(row)) alarms++;
      continue;
    }
    if (row === 0 || runs[row - 1] !== runs[row] || truths[row - 1] !== 0) continue;
    faults++;
    for (let at = row; at < truths.length && runs[at] === runs[row] && truths[at] === truths[row]; at++) {
      if (!isFound(at)) continue;
      delays.push(at - row);
      break;
    }
  }
  return { faults, found: delays.length, medianDelay: medianOf(delays), falseAlarms: alarms / normal };
}

/** @param threshold of manifest.unknown */
export function diagnosisFigures(probabilities: ArrayLike<number>, truths: Int32Array, runs: ArrayLike<number>, labels: readonly string[], threshold?: number): DiagnosisFigures {
  const width = labels.length;
  const { accuracy, macroF1, confusion } = evaluate(probabilities, truths, width);
  const winners = Int32Array.from(truths, (_, row) => {
    let winner = 0;
    for (let i = 1; i < width; i++) if (probabilities[row * width + i]! > probabilities[row * width + winner]!) winner = i;
    return winner;
  });
  const confidences = Float64Array.from(truths, (_, row) => probabilities[row * width + winners[row]!]!);
  const { error, bins } = reliabilityOf(confidences, Array.from(truths, (truth, row) => truth === winners[row]));
  const rowOf = (actual: number): number[] => Array.from(confusion.subarray(actual * width, (actual + 1) * width));
  return {
    rows: truths.length,
    accuracy,
    macroF1,
    classes: labels.map((label, i) => {
      const rows = rowOf(i).reduce((sum, each) => sum + each, 0);
      const said = labels.reduce((sum, _, actual) => sum + confusion[actual * width + i]!, 0);
      const hits = confusion[i * width + i]!;
      return { label, rows, precision: hits / said, recall: hits / rows, f1: (2 * hits) / (rows + said) };
    }),
    confusion: labels.map((_, actual) => rowOf(actual)),
    calibrationError: error,
    reliability: bins,
    detection: detectionOf(runs, truths, (row) => winners[row] === truths[row], (row) => winners[row] !== 0),
    ...(threshold === undefined ? {} : { unknown: confidences.filter((each) => each < threshold).length / truths.length }),
  };
}

export function regressionFigures(said: { readonly value: ArrayLike<number>; readonly lower: ArrayLike<number>; readonly upper: ArrayLike<number> }, truths: ArrayLike<number>): RegressionFigures {
  const rows = truths.length;
  let [squares, errors, covered, width] = [0, 0, 0, 0];
  for (let row = 0; row < rows; row++) {
    const error = said.value[row]! - truths[row]!;
    squares += error * error;
    errors += Math.abs(error);
    if (truths[row]! >= said.lower[row]! && truths[row]! <= said.upper[row]!) covered++;
    width += said.upper[row]! - said.lower[row]!;
  }
  const step = Math.max(1, Math.ceil(rows / MOST_POINTS));
  return {
    rows,
    rmse: Math.sqrt(squares / rows),
    mae: errors / rows,
    coverage: covered / rows,
    width: width / rows,
    points: Array.from({ length: Math.ceil(rows / step) }, (_, i) => [truths[i * step]!, said.value[i * step]!] as const),
  };
}

export function anomalyFigures(scores: ArrayLike<number>, limit: number, truths: ArrayLike<number>, runs: ArrayLike<number>): AnomalyFigures {
  const anomalous = Array.from(truths, (truth) => truth !== 0);
  const beyond = Array.from(scores, (score) => score > limit);
  return {
    rows: truths.length,
    auc: areaUnderCurve(scores, anomalous),
    f1: f1Score(beyond, anomalous),
    detection: detectionOf(runs, truths, (row) => beyond[row]!, (row) => beyond[row]!),
  };
}
