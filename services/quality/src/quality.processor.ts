import { FeatureVector, Finding, ProductionRecord, TOPICS, unpackFloat64 } from '@millwright/contracts';
import type { Asset, AssetKind, Plant } from '@millwright/plant';
import { BaselineError, type MonitorBaseline } from '@millwright/quality';
import { FeatureExtractor } from '@millwright/signal';
import { PoisonRecordError, type Emission, type LogRecord, type Processor } from '@millwright/streams';
import { judgeValue, type KindChart } from './charts.js';
import { FeatureSelection } from './feature-selection.js';
import { ProcessMonitor } from './process-monitor.js';
import { judgeSilence } from './silence.js';
import { STATE_VERSION, stateCodec } from './state-codec.js';
import { fingerprintOf, initialState, type QualityState } from './state.js';

export type QualityInput = { readonly features: FeatureVector } | { readonly production: ProductionRecord };

/**
 * Judges features and inspected characteristics by control charts, capability and multivariate monitoring; see
 * Finding in quality.proto for what it publishes.
 *
 * A window that late data amended is judged again only by what has no memory (T², SPE, silence), and only where no later
 * window has been judged. Control charts keep the first value: their later points were judged with it, and findings that
 * have been acted on are not taken back.
 *
 * @param baselines by the name that the plant file gives them (kind.monitor.baseline)
 * @throws BaselineError when a baseline is missing, or does not fit its kind
 */
export function createQualityProcessor(plant: Plant, baselines: ReadonlyMap<string, MonitorBaseline>): Processor<QualityInput, QualityState> {
  const judges = new Map([...plant.kinds.values()].map((kind) => [kind.name, judgeOf(kind, baselines)]));

  return {
    name: 'quality',
    inputs: [TOPICS.features.name, TOPICS.production.name],
    outputs: [TOPICS.quality.name],
    stateVersion: STATE_VERSION,
    codec: stateCodec,
    decode,
    initial: initialState,
    onRecord(message, state, context) {
      const asset = plant.assets.get(context.key);
      if (asset === undefined) {
        throw new PoisonRecordError(`asset: ${context.key} is not in the plant file of ${plant.name}: add it there, or send it to the plant that has it`);
      }
      const judge = judges.get(asset.kind.name)!;
      const findings = 'features' in message ? judgeFeatures(judge, asset, state, message.features) : judgeProduction(judge, asset, state, message.production);
      return findings.map(emission);
    },
  };
}

/** Names of the values of feature vectors, and the id by which a vector refers to them. */
interface Layout {
  readonly id: string;
  readonly names: readonly string[];
}

/** What the processor needs to judge assets of one kind, prepared once. */
interface KindJudge {
  readonly layout: Layout;
  readonly featureCharts: readonly KindChart[];
  /** Takes the values of featureCharts, in their order, out of a feature vector. */
  readonly chartFeatures: FeatureSelection;
  readonly characteristicCharts: ReadonlyMap<string, readonly KindChart[]>;
  readonly monitor: ProcessMonitor | undefined;
}

function judgeOf(kind: AssetKind, baselines: ReadonlyMap<string, MonitorBaseline>): KindJudge {
  const { layout: id, names } = new FeatureExtractor(kind);
  const layout = { id, names };
  const charts = kind.charts.map((spec) => ({ spec, fingerprint: fingerprintOf(kind, spec) }));
  const featureCharts = charts.filter(({ spec }) => 'feature' in spec.source);
  const features = featureCharts.map(({ spec }) => (spec.source as { feature: string }).feature);
  const unknown = features.findIndex((feature) => !names.includes(feature));
  if (unknown >= 0) throw new Error(`kinds.${kind.name}.charts.${featureCharts[unknown]!.spec.name}.feature: ${features[unknown]} is not among the features of ${kind.name}: name one that is`);
  const characteristicCharts = Map.groupBy(
    charts.filter(({ spec }) => 'characteristic' in spec.source),
    ({ spec }) => (spec.source as { characteristic: string }).characteristic,
  );
  return { layout, featureCharts, chartFeatures: new FeatureSelection(names, features), characteristicCharts, monitor: monitorOf(kind, layout, baselines) };
}

function monitorOf(kind: AssetKind, layout: Layout, baselines: ReadonlyMap<string, MonitorBaseline>): ProcessMonitor | undefined {
  if (kind.monitor === undefined) return undefined;
  const baseline = baselines.get(kind.monitor.baseline);
  if (baseline === undefined) {
    throw new BaselineError(`kind ${kind.name}: there is no baseline ${kind.monitor.baseline}: make it with \`millwright quality baseline\`, or take monitor out of the plant file`);
  }
  return new ProcessMonitor(baseline, kind.name, layout.names);
}

function decode(record: LogRecord): QualityInput {
  const input = record.topic === TOPICS.features.name ? { features: FeatureVector.decode(record.value) } : { production: ProductionRecord.decode(record.value) };
  const { asset } = 'features' in input ? input.features : input.production;
  if (asset !== record.key) throw new PoisonRecordError(`asset: "${asset}" stands in a record with key "${record.key}": the writer must use the asset as the key`);
  return input;
}

function judgeFeatures(judge: KindJudge, asset: Asset, state: QualityState, vector: FeatureVector): Finding[] {
  const { layout, monitor } = judge;
  const values = vector.values.byteLength === layout.names.length * 8 ? unpackFloat64(vector.values) : undefined;
  if (vector.layout !== layout.id || values === undefined) {
    throw new PoisonRecordError(
      `layout: ${vector.layout} with ${vector.values.byteLength / 8} values is not ${layout.id} of kind ${asset.kind.name} with ${layout.names.length}: run features and quality on the same plant file`,
    );
  }
  const timeUs = vector.windowEndUs;
  const { lengthUs } = asset.kind.window;
  if (timeUs - vector.windowStartUs !== lengthUs) {
    throw new PoisonRecordError(`window: ${timeUs - vector.windowStartUs} us is not the ${lengthUs} us of kind ${asset.kind.name}: run features and quality on the same plant file`);
  }
  const findings: Finding[] = [];
  if (vector.revision === 0) {
    const selected = judge.chartFeatures.select(values);
    judge.featureCharts.forEach((chart, i) => findings.push(...judgeValue(asset, chart, state, selected[i]!, timeUs)));
  }
  if (timeUs >= state.newestWindowUs) {
    state.newestWindowUs = timeUs;
    findings.push(...(monitor?.judge(asset, state, values, timeUs, vector.revision) ?? []));
    findings.push(...judgeSilence(asset, state, vector.silentSignals, timeUs, vector.revision));
  } else {
    monitor?.amend(state, values, timeUs);
  }
  return findings;
}

function judgeProduction(judge: KindJudge, asset: Asset, state: QualityState, record: ProductionRecord): Finding[] {
  if (record.body?.$case !== 'inspection') return [];
  const { characteristic, value } = record.body.value;
  const charts = judge.characteristicCharts.get(characteristic) ?? [];
  return charts.flatMap((chart) => judgeValue(asset, chart, state, value, record.timeUs));
}

function emission(finding: Finding): Emission {
  return {
    topic: TOPICS.quality.name,
    key: finding.asset,
    value: Finding.encode(finding).finish(),
    timeMs: Math.floor(finding.timeUs / 1000),
    schema: TOPICS.quality.schema,
  };
}
