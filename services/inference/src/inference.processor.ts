import { FeatureVector, InferenceResult, TOPICS, unpackFloat64 } from '@millwright/contracts';
import type { InferenceScheduler, ModelPackage } from '@millwright/models';
import { suggestion, type Plant } from '@millwright/plant';
import { PoisonRecordError, type Emission, type LogRecord, type Processor } from '@millwright/streams';
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
    decode: (record) => readVector(record, plant),
    initial: () => new Map(),
    onRecord(vector, state) {
      const bench = byKind.get(vector.kind);
      if (bench === undefined) return [];
      const values = valuesOf(vector, bench);
      if (vector.missingRatio >= 1) {
        state.clear();
        return [];
      }
      for (const id of state.keys()) if (!bench.judges.some((each) => each.id === id)) state.delete(id);
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

/**
 * The vector of a record, checked as far as judgements depend on it.
 * @throws PoisonRecordError naming the field that is wrong
 */
function readVector({ value, key }: LogRecord, plant: Plant): FeatureVector {
  const vector = FeatureVector.decode(value);
  const { asset: id, windowStartUs, windowEndUs } = vector;
  if (id !== key) throw new PoisonRecordError(`asset: the vector is of "${id}" but its record has the key "${key}"; write vectors under the id of their asset`);
  const asset = plant.assets.get(id);
  if (asset === undefined) throw new PoisonRecordError(`asset: "${id}" is not in the plant file of ${plant.name}; ${suggestion(id, plant.assets.keys())}`);
  const { name, window } = asset.kind;
  if (vector.kind !== name) throw new PoisonRecordError(`kind: ${id} is a ${name} and not a "${vector.kind}"; run the features and inference services on the same plant file`);
  if (windowEndUs - windowStartUs !== window.lengthUs) {
    throw new PoisonRecordError(`features of ${id}: the window has ${windowEndUs - windowStartUs} us, and those of ${name} have ${window.lengthUs}; run the features and inference services on the same plant file`);
  }
  return vector;
}

/** @throws PoisonRecordError where the vector has another layout than this plant file gives its kind. */
function valuesOf(vector: FeatureVector, { kind, layout, width }: Bench): Float64Array {
  if (vector.layout !== layout) {
    throw new PoisonRecordError(`features of ${vector.asset}: layout ${vector.layout} is not ${layout}, which the plant file gives kind ${kind.name}; run the features and inference services on the same plant file`);
  }
  if (vector.values.byteLength !== width * 8) throw new PoisonRecordError(`features of ${vector.asset}: ${vector.values.byteLength} bytes of values, and layout ${layout} has ${width} features of 8 bytes`);
  return unpackFloat64(vector.values);
}
