import { FeatureVector, Finding, FindingKind, InferenceResult, TOPICS, unpackFloat64, type SignalShare } from '@millwright/contracts';
import type { Manifest } from '@millwright/models';
import type { Plant } from '@millwright/plant';
import { binOf, driftOf, hasDrifted, type Drift, type Profile } from '@millwright/quality';
import { PoisonRecordError, type Emission, type LogRecord, type Processor } from '@millwright/streams';
import type { Bench, Judge } from '../judge.js';
import { Panel } from '../panel.js';
import type { VersionSource } from '../version.js';
import { STATE_VERSION, stateCodec, type DriftState, type Track } from './state.js';

export type DriftInput = { readonly features: FeatureVector } | { readonly inference: InferenceResult };

/** Windows that follow one another are judged together: enough of them for a distribution, and a bounded time. */
const SPAN_WINDOWS = 300;
/** Windows that a span needs to be judged. */
const LEAST_WINDOWS = 100;
const MOST_NAMED = 3;
const MOST_SIGNALS = 5;

/**
 * Watches whether what models see, and what they say, has left what they were trained on: for each asset and each model that acts, by
 * the profile in its package, in spans of event time of 300 windows. What late data amended is not counted again. A finding is
 * published for each span that has drifted, and one when the next has not.
 */
export function createDriftProcessor(plant: Plant, kinds: ReadonlyMap<string, Bench>, versions: VersionSource): Processor<DriftInput, DriftState> {
  const panels = new Map([...kinds].map(([name, bench]) => [name, new Panel(bench, versions)]));

  return {
    name: 'inference-drift',
    inputs: [TOPICS.features.name, TOPICS.inferences.name],
    outputs: [TOPICS.quality.name],
    stateVersion: STATE_VERSION,
    codec: stateCodec,
    decode: (record) => decode(record, plant),
    initial: () => ({ inputs: new Map(), predictions: new Map() }),
    onRecord(message, state) {
      const { kind, asset, windowEndUs, revision } = 'features' in message ? message.features : message.inference;
      const panel = panels.get(kind);
      if (panel === undefined || revision > 0) return [];
      const acting = panel.seats(asset, windowEndUs).map((seats) => seats.acting);
      return 'features' in message ? watchInputs(panel.bench, acting, message.features, state) : watchPrediction(panel.bench, acting, message.inference, state);
    },
  };
}

function watchInputs(bench: Bench, acting: readonly Judge[], vector: FeatureVector, state: DriftState): Emission[] {
  if (vector.missingRatio >= 1) return [];
  if (vector.layout !== bench.layout || vector.values.byteLength !== bench.names.length * 8) throw new PoisonRecordError(`features of ${vector.asset}: layout ${vector.layout} is not ${bench.layout} of kind ${vector.kind}; run the features and inference services on the same plant file`);
  const values = unpackFloat64(vector.values);
  // In the precision of a model's input, which its profile has, too: a value that never changes must be in its bin.
  return acting.flatMap((judge) => {
    const { manifest } = judge.version.model;
    const { profile } = manifest;
    if (profile === undefined) return ended(state.inputs, manifest, 'inputs', vector);
    return count(state.inputs, { manifest, part: 'inputs', profiles: profile.inputs, spanUs: bench.kind.window.hopUs * SPAN_WINDOWS }, vector, (i) => Math.fround(values[judge.columns[i]!]!), (drifts) => shares(judge, profile.inputs, drifts));
  });
}

function watchPrediction(bench: Bench, acting: readonly Judge[], inference: InferenceResult, state: DriftState): Emission[] {
  const judge = acting.find(({ version: { model: { manifest } } }) => manifest.name === inference.model && manifest.version === inference.modelVersion);
  const manifest = judge?.version.model.manifest;
  if (manifest === undefined) return [];
  if (manifest.profile === undefined) return ended(state.predictions, manifest, 'predictions', inference);
  const value = predicted(inference, manifest);
  if (value === undefined) return [];
  return count(state.predictions, { manifest, part: 'predictions', profiles: [manifest.profile.prediction], spanUs: bench.kind.window.hopUs * SPAN_WINDOWS }, inference, () => value, () => []);
}

/** What of a judgement the profile is of; undefined where it is of none: a fault that the model knows is no drift. */
function predicted({ result }: InferenceResult, manifest: Manifest): number | undefined {
  switch (result?.$case) {
    case 'diagnosis': {
      if (manifest.task !== 'diagnosis') return undefined;
      // Of the window alone: what is filtered over time is nearly always sure.
      const { ofWindow, probabilities } = result.value;
      const said = ofWindow.length > 0 ? ofWindow : probabilities.map(({ probability }) => probability);
      const healthy = said[manifest.labels.indexOf(manifest.normal)];
      return healthy !== undefined && said.every((each) => each <= healthy) ? healthy : undefined;
    }
    case 'regression':
      return result.value.value;
    case 'anomaly':
      return result.value.score;
    default:
      return undefined;
  }
}

interface Watch {
  readonly manifest: Manifest;
  readonly part: 'inputs' | 'predictions';
  readonly profiles: readonly Profile[];
  readonly spanUs: number;
}

type Window = Pick<FeatureVector, 'asset' | 'kind' | 'windowEndUs'>;

/** Counts a window, and judges the span before it where it is the first of another. */
function count(tracks: Map<string, Track>, watch: Watch, window: Window, valueOf: (quantity: number) => number, contributions: (drifts: readonly Drift[]) => SignalShare[]): Emission[] {
  const { manifest, profiles, spanUs } = watch;
  const span = Math.floor(window.windowEndUs / spanUs);
  const version = `${manifest.version} ${manifest.sha256.slice(0, 12)}`;
  const emissions: Emission[] = [];
  let track = tracks.get(manifest.name);
  if (track?.version !== version) {
    emissions.push(...ended(tracks, manifest, watch.part, window));
    track = { version, span, rows: 0, counts: new Array<number>(profiles.reduce((sum, { counts }) => sum + counts.length + 1, 0)).fill(0), drifted: false };
    tracks.set(manifest.name, track);
  }
  // A window of a span that has been judged comes too late to be counted.
  if (span < track.span) return emissions;
  if (span > track.span) {
    if (track.rows >= LEAST_WINDOWS) emissions.push(...judged(track, watch, window, contributions));
    track.counts.fill(0);
    track.rows = 0;
    track.span = span;
  }
  let from = 0;
  for (let i = 0; i < profiles.length; i++) {
    track.counts[from + binOf(profiles[i]!.edges, valueOf(i))]!++;
    from += profiles[i]!.counts.length + 1;
  }
  track.rows++;
  return emissions;
}

function judged(track: Track, { manifest, part, profiles }: Watch, window: Window, contributions: (drifts: readonly Drift[]) => SignalShare[]): Emission[] {
  let from = 0;
  const drifts = profiles.map((profile) => driftOf(profile, track.counts.slice(from, (from += profile.counts.length + 1))));
  const drifted = drifts.flatMap((drift, i) => (hasDrifted(profiles[i]!, drift) ? [{ drift, limit: profiles[i]!.limit, of: part === 'inputs' ? `${manifest.input.features[i]} ` : '' }] : [])).sort((a, b) => b.drift.psi / b.limit - a.drift.psi / a.limit);
  const was = track.drifted;
  track.drifted = drifted.length > 0;
  if (!track.drifted) return was ? [finding(window, manifest, part, { active: false, description: `The ${part} of ${manifest.name} ${manifest.version} are as in training again.` })] : [];
  const named = drifted.slice(0, MOST_NAMED).map(({ drift, limit, of }) => `${of}(PSI ${drift.psi.toFixed(2)}, limit ${limit.toFixed(2)}, KS ${drift.ks.toFixed(2)})`);
  const more = drifted.length > MOST_NAMED ? ` and ${drifted.length - MOST_NAMED} more` : '';
  const description = `The ${part} of ${manifest.name} ${manifest.version} have drifted from its training over ${track.rows} windows: ${named.join(', ')}${more}; look whether the asset has changed, and evaluate the model or train it anew.`;
  return [finding(window, manifest, part, { active: true, value: drifted[0]!.drift.psi, upperLimit: drifted[0]!.limit, description, contributions: contributions(drifts) })];
}

/** A condition that held of another version is over with it. */
function ended(tracks: Map<string, Track>, manifest: Manifest, part: Watch['part'], window: Window): Emission[] {
  const track = tracks.get(manifest.name);
  if (track === undefined) return [];
  tracks.delete(manifest.name);
  return track.drifted ? [finding(window, manifest, part, { active: false, description: `Another version of ${manifest.name} judges now; its ${part} are watched anew.` })] : [];
}

/** Share of each signal in the drift of those inputs that have drifted; a correlation counts half for either of its signals. */
function shares({ signalsOf }: Judge, profiles: readonly Profile[], drifts: readonly Drift[]): SignalShare[] {
  const bySignal = new Map<string, number>();
  let total = 0;
  drifts.forEach((drift, i) => {
    if (!hasDrifted(profiles[i]!, drift)) return;
    total += drift.psi;
    for (const signal of signalsOf[i]!) bySignal.set(signal, (bySignal.get(signal) ?? 0) + drift.psi / signalsOf[i]!.length);
  });
  return [...bySignal].sort(([, a], [, b]) => b - a).slice(0, MOST_SIGNALS).map(([signal, psi]) => ({ signal, share: psi / total }));
}

function finding({ asset, kind, windowEndUs }: Window, { name }: Manifest, part: Watch['part'], fields: Partial<Finding>): Emission {
  const message = Finding.fromPartial({ asset, kind, chart: `${asset}/${name}/${part}`, finding: FindingKind.DRIFT, timeUs: windowEndUs, center: 0, lowerLimit: 0, ...fields });
  return { topic: TOPICS.quality.name, key: asset, value: Finding.encode(message).finish(), timeMs: Math.floor(windowEndUs / 1000), schema: TOPICS.quality.schema };
}

function decode({ topic, value, key }: LogRecord, plant: Plant): DriftInput {
  const input = topic === TOPICS.features.name ? { features: FeatureVector.decode(value) } : { inference: InferenceResult.decode(value) };
  const { asset, kind } = 'features' in input ? input.features : input.inference;
  if (asset !== key) throw new PoisonRecordError(`asset: "${asset}" stands in a record with the key "${key}"; write records under the id of their asset`);
  const known = plant.assets.get(asset);
  if (known?.kind.name !== kind) throw new PoisonRecordError(`asset: ${asset} is ${known === undefined ? 'not in the plant file' : `a ${known.kind.name} there and not a ${kind}`}; run all services on the same plant file`);
  return input;
}
