import type { Contribution, InferenceResult } from '@millwright/contracts';
import type { Judge } from './judge.js';
import { rounded, strongest } from './result.js';

/**
 * Which signals a model went by, where its graph does not say: each signal is left out in turn, as if it had sent nothing, and what the
 * answer loses by that is its contribution (occlusion; M. Zeiler and R. Fergus, 2014). A correlation goes with either of its signals. Only
 * for what alarms are made of: a fault that is diagnosed, a score above its limit. Costs as many rows as there are signals.
 * @param outputs of the window alone, which a filter over time may see otherwise
 */
export async function occlude(judge: Judge, input: Float32Array, outputs: readonly Float32Array[], result: InferenceResult['result']): Promise<Contribution[]> {
  const strength = strengthOf(judge, result);
  if (strength === undefined) return [];
  const { model } = judge.version;
  const features = model.manifest.input.features.length;
  const signals = [...new Set(judge.signalsOf.flat())];
  const rows = new Float32Array(signals.length * input.length);
  signals.forEach((signal, row) => {
    rows.set(input, row * input.length);
    judge.signalsOf.forEach((of, feature) => {
      if (!of.includes(signal)) return;
      for (let at = feature; at < input.length; at += features) rows[row * input.length + at] = NaN;
    });
  });
  const occluded = (await judge.version.run(rows, 'alarm'))[strength.output]!;
  const { width } = model.outputs[strength.output]!;
  const value = rounded(outputs[strength.output]![strength.column]!);
  return strongest(new Map(signals.map((signal, row) => [signal, strength.sign * (value - rounded(occluded[row * width + strength.column]!))])));
}

/** Where in the outputs it stands how sure the model is of what it found, and whether more there is surer (1) or less (-1); undefined where it found nothing. */
function strengthOf({ version: { model } }: Judge, result: InferenceResult['result']): { output: number; column: number; sign: 1 | -1 } | undefined {
  const output = (role: string): number => model.outputs.findIndex((each) => each.role === role);
  const { manifest } = model;
  if (result?.$case === 'diagnosis' && manifest.task === 'diagnosis' && !result.value.normal) {
    const column = manifest.labels.indexOf(result.value.label);
    // Of what is unknown the model says no more than that it is not health.
    return column < 0 ? { output: output('probabilities'), column: manifest.labels.indexOf(manifest.normal), sign: -1 } : { output: output('probabilities'), column, sign: 1 };
  }
  if (result?.$case === 'anomaly' && result.value.score > result.value.limit) return { output: output('score'), column: 0, sign: 1 };
  return undefined;
}
