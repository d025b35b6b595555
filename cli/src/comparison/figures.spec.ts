import { describe, expect, it } from '@jest/globals';
import { anomalyFigures, detectionOf, diagnosisFigures, regressionFigures, reliabilityOf } from './figures.js';

describe('figures of a diagnosis', () => {
  // Rows of [normal, worn]; the last is between the two.
  const probabilities = [0.9, 0.1, 0.8, 0.2, 0.3, 0.7, 0.4, 0.6, 0.45, 0.55];
  const truths = Int32Array.of(0, 0, 0, 1, 1);

  it('count by class, and what is below the threshold', () => {
    const { accuracy, confusion, classes, unknown } = diagnosisFigures(probabilities, truths, [0, 0, 0, 0, 0], ['normal', 'worn'], 0.6);
    expect(accuracy).toBe(0.8);
    expect(confusion).toEqual([[2, 1], [0, 2]]);
    // precision 2/3, recall 1, F1 = 4/5
    expect(classes[1]).toEqual({ label: 'worn', rows: 2, precision: 2 / 3, recall: 1, f1: 0.8 });
    expect(unknown).toBe(0.2);
  });

  it('measure calibration as the gap between confidence and share right, weighed by rows', () => {
    // Ten at 0.95 of which nine are right, ten at 0.65 of which all are: (|0.95 - 0.9| + |0.65 - 1|) / 2
    const confidences = [...Array<number>(10).fill(0.95), ...Array<number>(10).fill(0.65)];
    const { error, bins } = reliabilityOf(confidences, confidences.map((_, i) => i !== 0));
    expect(error).toBeCloseTo(0.2, 9);
    expect(bins.map(({ rows }) => rows)).toEqual([10, 10]);
  });
});

describe('detection', () => {
  it('counts windows from the beginning of a fault that follows normal operation in the same run, and false alarms before', () => {
    const runs = [0, 0, 0, 0, 0, 1, 1, 2, 2, 2];
    const truths = [0, 0, 2, 2, 2, 2, 2, 0, 1, 1];
    const judged = [0, 1, 0, 0, 2, 2, 2, 0, 0, 0];
    const detection = detectionOf(runs, truths, (row) => judged[row] === truths[row], (row) => judged[row] !== 0);
    // Run 0 is found two windows late, run 2 never; run 1 begins with its fault, so that its beginning is not known.
    expect(detection).toEqual({ faults: 2, found: 1, medianDelay: 2, falseAlarms: 1 / 3 });
  });
});

describe('figures of values and scores', () => {
  it('are root mean square and mean error, coverage and width of the interval', () => {
    const figures = regressionFigures({ value: [1, 2, 7], lower: [0, 1, 5], upper: [2, 3, 9] }, [1, 4, 6]);
    expect(figures.rmse).toBeCloseTo(Math.sqrt(5 / 3), 12);
    expect(figures).toMatchObject({ mae: 1, coverage: 2 / 3, width: 8 / 3 });
  });

  it('are area under the curve and F1 at the limit', () => {
    const { auc, f1 } = anomalyFigures([0.1, 0.4, 0.35, 0.8], 0.5, [0, 0, 1, 1], [0, 0, 0, 0]);
    // Of four pairs three are in order; one hit, one missed.
    expect([auc, f1]).toEqual([0.75, 2 / 3]);
  });
});
