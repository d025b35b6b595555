import { FeatureVector, InferenceResult, ShadowFailure, ShadowResult, TOPICS, unpackFloat64 } from '@millwright/contracts';
import { ModelPackageError, type InferencePriority, type InferenceScheduler, type ModelPackage } from '@millwright/models';
import { suggestion, type Plant } from '@millwright/plant';
import { PoisonRecordError, type Emission, type LogRecord, type Processor } from '@millwright/streams';
import { believe } from './belief.js';
import { inputOf, remember, type History, type HistoryWindow } from './history.js';
import { benches, type Bench, type Judge } from './judge.js';
import { occlude } from './occlusion.js';
import { Panel, type Seats } from './panel.js';
import { judgement, ofWindow } from './result.js';
import { STATE_VERSION, stateCodec, type InferenceState } from './state-codec.js';
import { NO_REGISTRY, type Version, type VersionSource } from './version.js';

/** The models that are loaded, and what runs them. */
export interface InferenceModels {
  readonly packages: readonly ModelPackage[];
  readonly scheduler: InferenceScheduler;
  /** Versions that the registry puts in the place of the packages, or beside them; default: none. */
  readonly versions?: VersionSource;
}

/**
 * Who judges each kind by the packages beside the plant file.
 * @throws ModelPackageError where models and plant don't fit
 */
export function packagedBenches(plant: Plant, { packages, scheduler }: InferenceModels): ReadonlyMap<string, Bench> {
  return benches(plant, packages.map((model): Version => ({ model, run: (rows, priority) => scheduler.submit(model, rows, { priority, whenFull: 'wait' }) })));
}

/**
 * Judges every window of features by the models of its asset's kind, in the versions that the registry has for the time at which
 * the window ends. A window of which no sample came ends the history: it has no judgement, and models that look back start anew
 * after it, as do filters over time. An amended window takes the place of its earlier revision and is judged again; judgements of later windows stand.
 * What versions in the shadow say goes beside what is acted on to a topic of its own, which nothing acts on; of each window that one
 * was to judge there is a record, also where it could not.
 * @throws ModelPackageError where models and plant don't fit
 */
export function createInferenceProcessor(plant: Plant, models: InferenceModels): Processor<FeatureVector, InferenceState> {
  const { versions = NO_REGISTRY } = models;
  const panels = new Map([...packagedBenches(plant, models)].map(([kind, bench]) => [kind, new Panel(bench, versions)]));

  return {
    name: 'inference',
    inputs: [TOPICS.features.name],
    outputs: [TOPICS.inferences.name, TOPICS.shadows.name],
    stateVersion: STATE_VERSION,
    codec: stateCodec,
    decode: (record) => readVector(record, plant),
    initial: () => new Map(),
    onRecord(vector, state, { isLive }) {
      const panel = panels.get(vector.kind);
      if (panel === undefined) return [];
      const { bench } = panel;
      const values = valuesOf(vector, bench);
      if (vector.missingRatio >= 1) {
        state.clear();
        return [];
      }
      const { asset, windowStartUs, windowEndUs } = vector;
      const { hopUs, graceUs } = bench.kind.window;
      const seats = panel.seats(asset, windowEndUs);
      // Windows may be amended for as long as the grace lasts, and those are judged by who judged them then.
      const earlier = panel.seats(asset, windowEndUs - graceUs - hopUs);
      const before = earlier.flatMap(everyone);
      const remembering = earlier === seats ? before : [...before, ...seats.flatMap(everyone)];
      for (const id of state.keys()) if (!remembering.some((each) => each.id === id)) state.delete(id);

      const look = (judge: Judge): Look | undefined => {
        let history = state.get(judge.id);
        if (history === undefined) state.set(judge.id, (history = inherited(judge, before, state)));
        const window: HistoryWindow = { startUs: windowStartUs, features: Float32Array.from(judge.columns, (column) => values[column]!) };
        remember(history, window, judge.keep);
        const input = inputOf(history, windowStartUs, judge.version.model.manifest.input.history, hopUs);
        return input === undefined ? undefined : { input, history, window, hopUs };
      };
      const emissions = seats.map(({ acting, shadows }) => {
        const seen = look(acting);
        const production = seen === undefined ? undefined : judged(acting, seen, 'alarm', vector, isLive);
        const beside = shadows.map((each) => {
          const own = look(each);
          return own === undefined ? undefined : inShadow(each, own, vector, production);
        });
        return [production?.then((result) => emission(TOPICS.inferences, vector, InferenceResult.encode(result).finish())), ...beside];
      });
      return Promise.all(emissions.flat()).then((all) => all.filter((each) => each !== undefined));
    },
  };
}

const everyone = ({ acting, shadows }: Seats): readonly Judge[] => [acting, ...shadows];

/** What a judge looks at. */
interface Look {
  readonly input: Float32Array;
  readonly history: History;
  readonly window: HistoryWindow;
  readonly hopUs: number;
}

/** What a judge begins with: the windows of one of the same model that sees the same features, where there was one, and where it knows the same labels what was believed after them; else none. */
function inherited(judge: Judge, before: readonly Judge[], state: InferenceState): History {
  const { manifest: own } = judge.version.model;
  const { name, input } = own;
  const earlier = before.find(({ id, version: { model: { manifest } } }) => manifest.name === name && state.has(id) && manifest.input.features.join() === input.features.join());
  if (earlier === undefined) return { windows: [] };
  const { windows, judging } = state.get(earlier.id)!;
  const { manifest: former } = earlier.version.model;
  if (own.task !== 'diagnosis' || former.task !== 'diagnosis' || own.labels.join() !== former.labels.join()) return { windows: windows.map(({ startUs, features }) => ({ startUs, features })) };
  return { windows: [...windows], ...(judging === undefined ? {} : { judging }) };
}

/** @param withReasons whether the contributions of signals are needed, for which a model is run many times */
async function judged(by: Judge, { input, history, window, hopUs }: Look, priority: InferencePriority, vector: FeatureVector, withReasons: boolean): Promise<InferenceResult> {
  const { manifest } = by.version.model;
  const running = by.version.run(input, priority);
  // Begun before anything is waited for: beliefs follow each other in the order of the log.
  const believing = manifest.task === 'diagnosis' && manifest.filter !== undefined ? believe(history, window, hopUs, manifest, manifest.filter, running.then((outputs) => ofWindow(by, outputs))) : undefined;
  const [outputs, filtered] = await Promise.all([running, believing]);
  const said = judgement(by, outputs, filtered);
  const explains = by.version.model.outputs.some(({ role }) => role === 'contributions');
  const contributions = explains || !withReasons ? said.contributions : await occlude(by, input, outputs, said.result);
  return { ...unjudged(by, vector), ...said, contributions };
}

function unjudged({ version: { model } }: Judge, { asset, kind, windowStartUs, windowEndUs, revision }: FeatureVector): InferenceResult {
  const { name, version } = model.manifest;
  return { asset, kind, windowStartUs, windowEndUs, revision, model: name, modelVersion: version, result: undefined, contributions: [] };
}

/**
 * What a shadow says beside production. One that can't be run is not waited for, since that would hold up what is acted on: the record
 * says so, by the kind of reason alone, which is the same in a replay where the reason lies in the package.
 */
async function inShadow(by: Judge, seen: Look, vector: FeatureVector, production: Promise<InferenceResult> | undefined): Promise<Emission> {
  // What nobody acts on needs no reasons.
  const own = judged(by, seen, 'analytics', vector, false).then(
    (shadow) => ({ shadow, failure: ShadowFailure.UNSPECIFIED }),
    (error: unknown) => ({ shadow: unjudged(by, vector), failure: error instanceof ModelPackageError ? ShadowFailure.PACKAGE : ShadowFailure.ENGINE }),
  );
  const [answer, beside] = await Promise.all([own, production]);
  return emission(TOPICS.shadows, vector, ShadowResult.encode({ ...answer, production: beside }).finish());
}

const emission = ({ name, schema }: { readonly name: string; readonly schema: string }, { asset, windowEndUs }: FeatureVector, value: Uint8Array): Emission => ({
  topic: name,
  key: asset,
  value,
  timeMs: Math.floor(windowEndUs / 1000),
  schema,
});

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
function valuesOf(vector: FeatureVector, { kind, layout, names: { length: width } }: Bench): Float64Array {
  if (vector.layout !== layout) {
    throw new PoisonRecordError(`features of ${vector.asset}: layout ${vector.layout} is not ${layout}, which the plant file gives kind ${kind.name}; run the features and inference services on the same plant file`);
  }
  if (vector.values.byteLength !== width * 8) throw new PoisonRecordError(`features of ${vector.asset}: ${vector.values.byteLength} bytes of values, and layout ${layout} has ${width} features of 8 bytes`);
  return unpackFloat64(vector.values);
}
