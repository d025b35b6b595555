import { predictBoosted, type Boosted } from './boosting.js';
import { predictForest, type Forest } from './extra-trees.js';
import { distances, type Mahalanobis } from './mahalanobis.js';
import { transformMiniRocket, type MiniRocket } from './minirocket.js';
import { softmax } from './network.js';
import { predictOutputs, type LinearOutputs } from './ridge-path.js';
import type { Scaler } from './scaler.js';
import { summarise } from './summary.js';
import { scaleWindows, type Windows } from './windows.js';

/** A model of windows: what it computes from scaled values. */
export type WindowModel =
  | { readonly kind: 'rocket'; readonly rocket: MiniRocket; readonly linear: LinearOutputs }
  /** The others see the summary of a window (`summarise`). */
  | { readonly kind: 'boosted'; readonly boosted: Boosted }
  | { readonly kind: 'forest'; readonly forest: Forest }
  | { readonly kind: 'mahalanobis'; readonly mahalanobis: Mahalanobis };

/** What becomes of what a model says of a window. */
export type Head =
  /** "probabilities", [rows, classes]: softmax of scores over the temperature. */
  | { readonly kind: 'probabilities'; readonly temperature: number; readonly classes: number }
  /** "value", "lower", "upper", [rows]: the value limited to a range, and `halfWidth` to either side. */
  | { readonly kind: 'interval'; readonly halfWidth: number; readonly least: number; readonly greatest: number }
  /** "score", [rows]. */
  | { readonly kind: 'score' };

/** Below it a forest's probability counts as this much: no tree has seen the class there, which is not to say that it can't be. */
export const LEAST_PROBABILITY = 1e-3;

/** Scores, values or distances before the head, [rows, outputs]; of a forest the logarithms of its probabilities. */
export function scoresOf(model: WindowModel, scaled: Float32Array, { rows, history, features }: Pick<Windows, 'rows' | 'history' | 'features'>): Float64Array {
  if (model.kind === 'rocket') return predictOutputs(model.linear, transformMiniRocket(model.rocket, scaled, rows));
  const summary = summarise(scaled, rows, history, features.length);
  switch (model.kind) {
    case 'boosted':
      return predictBoosted(model.boosted, summary);
    case 'forest':
      return predictForest(model.forest, summary).map((each) => Math.log(Math.max(LEAST_PROBABILITY, each)));
    case 'mahalanobis':
      return distances(model.mahalanobis, summary);
  }
}

/** What the model says of windows, by the names of the graph's outputs. */
export function predictWindows(model: WindowModel, head: Head, scaler: Scaler, windows: Windows): Readonly<Record<string, Float64Array>> {
  const scores = scoresOf(model, scaleWindows(windows, scaler), windows);
  switch (head.kind) {
    case 'probabilities':
      return { probabilities: softmax(Float32Array.from(scores, (score) => score / head.temperature), head.classes) };
    case 'interval': {
      const value = scores.map((each) => Math.min(head.greatest, Math.max(head.least, each)));
      return { value, lower: value.map((each) => each - head.halfWidth), upper: value.map((each) => each + head.halfWidth) };
    }
    case 'score':
      return { score: scores };
  }
}
