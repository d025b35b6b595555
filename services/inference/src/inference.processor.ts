import { FeatureVector, InferenceResult, TOPICS, unpackFloat64 } from '@millwright/contracts';
import type { InferenceScheduler, ModelPackage } from '@millwright/models';
import type { Plant } from '@millwright/plant';
import { PoisonRecordError, type Emission, type Processor } from '@millwright/streams';
import { inputOf, remember } from './history.js';
import { benches, type Bench, type Judge } from './judge.js';
import { judgement } from './result.js';
import { STATE_VERSION, stateCodec, type InferenceState } from './state-codec.js';

/** The models that are loaded, and what runs them. */
export interface InferenceModels {
  readonly packages: readonly ModelPackage[];
  readonly scheduler: InferenceScheduler;
}

/**
 * Judges every window of features by the models of its asset's kind. A window of which no sample came ends the history:
 * it has no judgement, and models that look back start anew after it. An amended window takes the place of its earlier
 * revision and is judged again; judgements of later windows stand.
 * @throws ModelPackageError where models and plant don't fit
 */
export function createInferenceProcessor(plant: Plant, { packages, scheduler }: InferenceModels): Processor<FeatureVector, InferenceState> {
  const byKind = benches(plant, packages);

  const judge = async (by: Judge, input: Float32Array, vector: FeatureVector): Promise<Emission> => {
    const { model } = by;
    // The runtime bounds a micro-batch, so its windows wait for a place rather than being turned away.
    const outputs = await scheduler.submit(model, input, { priority: 'alarm', whenFull: 'wait' });
    const { asset, kind, windowStartUs, windowEndUs, revision } = vector;
    const { name, version } = model.manifest;
    const result: InferenceResult = { asset, kind, windowStartUs, windowEndUs, revision, model: name, modelVersion: version, ...judgement(by, outputs) };
    return { topic: TOPICS.inferences.name, key: asset, value: InferenceResult.encode(result).finish(), timeMs: Math.floor(windowEndUs / 1000), schema: TOPICS.inferences.schema };
  };

  return {
    name: 'inference',
    inputs: [TOPICS.features.name],
    outputs: [TOPICS.inferences.name],
    stateVersion: STATE_VERSION,
    codec: stateCodec,
    decode: (record) => FeatureVector.decode(record.value),
    initial: () => new Map(),
    onRecord(vector, state) {
      const bench = byKind.get(vector.kind);
      if (bench === undefined) return [];
      const values = valuesOf(vector, bench);
      if (vector.missingRatio >= 1) {
        state.clear();
        return [];
      }
      const judgements: Promise<Emission>[] = [];
      for (const each of bench.judges) {
        let history = state.get(each.id);
        if (history === undefined) state.set(each.id, (history = { windows: [] }));
        remember(history, { startUs: vector.windowStartUs, features: Float32Array.from(each.columns, (column) => values[column]!) }, each.keep);
        const input = inputOf(history, vector.windowStartUs, each.model.manifest.input.history, bench.kind.window.hopUs);
        if (input !== undefined) judgements.push(judge(each, input, vector));
      }
      return Promise.all(judgements);
    },
  };
}

/** @throws PoisonRecordError where the vector has another layout than this plant file gives its kind. */
function valuesOf(vector: FeatureVector, { kind, layout, width }: Bench): Float64Array {
  if (vector.layout !== layout) {
    throw new PoisonRecordError(`features of ${vector.asset}: layout ${vector.layout} is not ${layout}, which the plant file gives kind ${kind.name}; run the features and inference services on the same plant file`);
  }
  if (vector.values.byteLength !== width * 8) throw new PoisonRecordError(`features of ${vector.asset}: ${vector.values.byteLength} bytes of values, and layout ${layout} has ${width} features of 8 bytes`);
  return unpackFloat64(vector.values);
}
