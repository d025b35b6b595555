import type { Matrix } from './matrix.js';
import { ELEMENT, int, ints, type GraphBuilder } from './onnx-graph.js';
import { roundHalfEven } from './windows.js';

/**
 * What trees are asked about a window: of each feature the last value, the mean, the mean of the last quarter, the spread, the root
 * mean square of differences between steps, and the slope a step. A window of one step is its last value only.
 *
 * Both here and in the graph sums are in double precision and what comes of them is rounded to 2^-16 of a scaled unit, and then to
 * float32: the order of summation, which is each implementation's own, is not seen.
 */
const GRID = 65536;

const recentOf = (history: number): number => Math.ceil(history / 4);

/** Statistics of each feature. */
const statisticsOf = (history: number): number => (history === 1 ? 1 : 6);

/**
 * @param scaled [rows, history, features]
 * @returns [rows, statistics × features], statistic by statistic
 */
export function summarise(scaled: Float32Array, rows: number, history: number, features: number): Matrix {
  const columns = statisticsOf(history) * features;
  const values = new Float64Array(rows * columns);
  const recent = recentOf(history);
  const slopes = slopeWeights(history);
  const say = (row: number, statistic: number, feature: number, value: number): void => {
    values[row * columns + statistic * features + feature] = Math.fround(roundHalfEven(value * GRID) / GRID);
  };
  for (let row = 0; row < rows; row++) {
    for (let feature = 0; feature < features; feature++) {
      const at = (step: number): number => scaled[(row * history + step) * features + feature]!;
      say(row, 0, feature, at(history - 1));
      if (history === 1) continue;
      let [sum, late, slope, steps, squares] = [0, 0, 0, 0, 0];
      for (let step = 0; step < history; step++) {
        const value = at(step);
        sum += value;
        slope += slopes[step]! * value;
        if (step >= history - recent) late += value;
        if (step > 0) steps += (value - at(step - 1)) ** 2;
      }
      const mean = sum / history;
      for (let step = 0; step < history; step++) squares += (at(step) - mean) ** 2;
      say(row, 1, feature, mean);
      say(row, 2, feature, late / recent);
      say(row, 3, feature, Math.sqrt(squares / history));
      say(row, 4, feature, Math.sqrt(steps / (history - 1)));
      say(row, 5, feature, slope);
    }
  }
  return { values, rows, columns };
}

/** Least squares: the slope is the sum of values by these weights. */
function slopeWeights(history: number): Float64Array {
  const middle = (history - 1) / 2;
  const total = Array.from({ length: history }, (_, step) => (step - middle) ** 2).reduce((sum, each) => sum + each, 0);
  return Float64Array.from({ length: history }, (_, step) => (step - middle) / total);
}

/** Adds the same to a graph; returns the name of the summary, float32 [batch, statistics × features]. */
export function addSummary(graph: GraphBuilder, scaled: string, batch: number, history: number, features: number): string {
  if (history === 1) return rounded(graph, graph.node('Cast', [graph.node('Reshape', [scaled, graph.int64('row', [batch, features])], 'last')], 'last_double', [int('to', ELEMENT.double)]));
  const values = graph.node('Cast', [scaled], 'double', [int('to', ELEMENT.double)]);
  const part = (name: string, from: number, to: number): string =>
    graph.node('Slice', [values, graph.int64(`${name}_from`, [from]), graph.int64(`${name}_to`, [to]), graph.int64(`${name}_axis`, [1])], name);
  const mean = (name: string, of: string, keepdims = 0): string => graph.node('ReduceMean', [of], name, [ints('axes', [1]), int('keepdims', keepdims)]);
  const rootMeanSquare = (name: string, of: string): string => graph.node('Sqrt', [mean(`${name}_square`, graph.node('Mul', [of, of], `${name}_squares`))], name);
  const last = graph.node('Squeeze', [part('last', history - 1, history), graph.int64('steps_axis', [1])], 'last_row');
  const deviations = graph.node('Sub', [values, mean('level', values, 1)], 'deviations');
  const differences = graph.node('Sub', [part('after', 1, history), part('before', 0, history - 1)], 'differences');
  const weighted = graph.node('Mul', [values, graph.double('slope_weights', [1, history, 1], slopeWeights(history))], 'weighted');
  const slope = graph.node('ReduceSum', [weighted, graph.int64('slope_axis', [1])], 'slope', [int('keepdims', 0)]);
  const statistics = [last, mean('mean_level', values), mean('recent_level', part('recent', history - recentOf(history), history)), rootMeanSquare('spread', deviations), rootMeanSquare('steps', differences), slope];
  return rounded(graph, graph.node('Concat', statistics, 'statistics', [int('axis', 1)]));
}

function rounded(graph: GraphBuilder, of: string): string {
  const whole = graph.node('Round', [graph.node('Mul', [of, graph.double('grid', [], [GRID])], 'on_grid')], 'whole');
  return graph.node('Cast', [graph.node('Div', [whole, 'grid'], 'rounded')], 'summary', [int('to', ELEMENT.float)]);
}
