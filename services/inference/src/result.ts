import { UNKNOWN, type Contribution, type Diagnosis, type InferenceResult } from '@millwright/contracts';
import type { DiagnosisManifest } from '@millwright/models';
import type { Judge } from './judge.js';

/** Most signals named as contributors. */
const MOST_SIGNALS = 5;

/** What is published is rounded to a millionth, well above the differences that another processor type may make. */
export const rounded = (value: number): number => Math.round(value * 1e6) / 1e6;

type Judgement = Pick<InferenceResult, 'result' | 'contributions'>;

/** What a diagnosis says of a window alone: the probability of each label, as it is published. */
export const ofWindow = ({ version: { model } }: Judge, outputs: readonly Float32Array[]): number[] => Array.from(outputs[model.outputs.findIndex(({ role }) => role === 'probabilities')]!, rounded);

/**
 * Turns a model's outputs of one row into what is published of them.
 * @param belief of a package that is filtered over time: the probability of each label after the window
 */
export function judgement(judge: Judge, outputs: readonly Float32Array[], belief?: Float64Array): Judgement {
  const contributions = outputs[judge.version.model.outputs.findIndex(({ role }) => role === 'contributions')];
  const result = resultOf(judge, outputs, belief);
  // The graph says what made the window's own winner win; of another label that is no reason.
  const own = belief === undefined || highest(belief) === highest(ofWindow(judge, outputs));
  return { result, contributions: own ? contributors(contributions, judge.signalsOf) : [] };
}

const highest = (values: ArrayLike<number>): number => Array.from(values).reduce((best, value, i) => (value > values[best]! ? i : best), 0);

function resultOf(judge: Judge, outputs: readonly Float32Array[], belief: Float64Array | undefined): NonNullable<InferenceResult['result']> {
  const { model } = judge.version;
  const { manifest } = model;
  const output = (role: string): Float32Array => outputs[model.outputs.findIndex((each) => each.role === role)]!;
  const number = (role: string): number => rounded(output(role)[0]!);
  switch (manifest.task) {
    case 'diagnosis':
      return { $case: 'diagnosis', value: { ...diagnosis(belief ?? output('probabilities'), manifest), ofWindow: belief === undefined ? [] : ofWindow(judge, outputs) } };
    case 'regression': {
      const { quantity, unit, coverage } = manifest;
      return { $case: 'regression', value: { quantity, unit, coverage, value: number('value'), lower: number('lower'), upper: number('upper') } };
    }
    case 'anomaly':
      return { $case: 'anomaly', value: { score: number('score'), limit: manifest.limit } };
  }
}

function diagnosis(probabilities: Float32Array | Float64Array, { labels, normal, unknown }: DiagnosisManifest): Omit<Diagnosis, 'ofWindow'> {
  const order = labels.map((_, i) => i).sort((a, b) => probabilities[b]! - probabilities[a]! || a - b);
  const [winner, second] = [order[0]!, order[1]!];
  const healthy = labels.indexOf(normal);
  const all = labels.map((label, i) => ({ label, probability: rounded(probabilities[i]!) }));
  if (unknown === undefined || probabilities[winner]! >= unknown.threshold) {
    return { label: labels[winner]!, normal: winner === healthy, confidence: rounded(probabilities[winner]!), probabilities: all };
  }
  // Between health and one fault it may well be health; between two faults it is a fault, whichever.
  const maybeHealthy = winner === healthy || second === healthy;
  return { label: UNKNOWN, normal: maybeHealthy, confidence: rounded(maybeHealthy ? probabilities[winner]! : 1 - probabilities[healthy]!), probabilities: all };
}

/** Contributions of features added up by signal; a correlation counts half for either of its signals. */
function contributors(byFeature: Float32Array | undefined, signalsOf: readonly (readonly string[])[]): Contribution[] {
  if (byFeature === undefined) return [];
  const bySignal = new Map<string, number>();
  signalsOf.forEach((signals, feature) => {
    for (const signal of signals) bySignal.set(signal, (bySignal.get(signal) ?? 0) + byFeature[feature]! / signals.length);
  });
  return strongest(bySignal);
}

/** The signals that count most, with their signed shares of all. */
export function strongest(bySignal: ReadonlyMap<string, number>): Contribution[] {
  let total = 0;
  for (const each of bySignal.values()) total += Math.abs(each);
  if (total === 0) return [];
  return [...bySignal]
    .sort(([, a], [, b]) => Math.abs(b) - Math.abs(a))
    .slice(0, MOST_SIGNALS)
    .map(([signal, value]) => ({ signal, share: rounded(value / total) }));
}
