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

/** Of a package that is filtered over time: the probability of each label by the window alone, and after it. */
export interface Filtered {
  readonly ofWindow: readonly number[];
  readonly belief: Float64Array;
}

/** Turns a model's outputs of one row into what is published of them. */
export function judgement(judge: Judge, outputs: readonly Float32Array[], filtered?: Filtered): Judgement {
  const contributions = outputs[judge.version.model.outputs.findIndex(({ role }) => role === 'contributions')];
  const result = resultOf(judge, outputs, filtered);
  // The graph says what made the window's own winner win; of another label that is no reason.
  const own = filtered === undefined || highest(filtered.belief) === highest(filtered.ofWindow);
  return { result, contributions: own ? contributors(contributions, judge.signalsOf) : [] };
}

function highest(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

function resultOf({ version: { model } }: Judge, outputs: readonly Float32Array[], filtered: Filtered | undefined): NonNullable<InferenceResult['result']> {
  const { manifest } = model;
  const output = (role: string): Float32Array => outputs[model.outputs.findIndex((each) => each.role === role)]!;
  const number = (role: string): number => rounded(output(role)[0]!);
  switch (manifest.task) {
    case 'diagnosis':
      return { $case: 'diagnosis', value: { ...diagnosis(filtered?.belief ?? output('probabilities'), manifest), ofWindow: [...(filtered?.ofWindow ?? [])] } };
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
