import type { UntypedHandleCall } from '@grpc/grpc-js';
import { Chart, type ListChartsRequest, type ListChartsResponse, type QualityServiceServer } from '@millwright/contracts';
import type { Asset, ChartSpec, Plant } from '@millwright/plant';
import type { MonitorBaseline } from '@millwright/quality';
import { notFound, unary } from '@millwright/shell';
import { partitionFor, taskName, type StateStore } from '@millwright/streams';
import { CHART_TYPES } from './charts.js';
import { statistics } from './process-monitor.js';
import { STATE_VERSION, stateCodec } from './state-codec.js';
import { capabilityNow, fingerprintOf, initialState, kept, type QualityState } from './state.js';

/** Answers from the read side: as old as the last checkpoint. */
export class QualityController implements QualityServiceServer {
  [method: string]: UntypedHandleCall;
  readonly #plant: Plant;
  readonly #baselines: ReadonlyMap<string, MonitorBaseline>;
  readonly #store: StateStore;
  readonly #partitions: number;

  /** @param partitions of every topic: they say under which task an asset's state is kept */
  constructor(plant: Plant, baselines: ReadonlyMap<string, MonitorBaseline>, store: StateStore, partitions: number) {
    this.#plant = plant;
    this.#baselines = baselines;
    this.#store = store;
    this.#partitions = partitions;
  }

  readonly listCharts = unary<ListChartsRequest, ListChartsResponse>(async ({ asset: id }) => {
    const asset = this.#plant.assets.get(id);
    if (asset === undefined) throw notFound('ASSET_UNKNOWN', `asset: "${id}" is not in the plant file of ${this.#plant.name}.`);
    const bytes = await this.#store.get(taskName('quality', partitionFor(id, this.#partitions)), id);
    const state = bytes === undefined ? initialState() : stateCodec.decode(bytes, STATE_VERSION);
    const baseline = asset.kind.monitor && this.#baselines.get(asset.kind.monitor.baseline);
    return {
      charts: [...asset.kind.charts.map((spec) => controlChart(asset, spec, state)), ...(baseline ? multivariateCharts(asset, baseline, state) : [])],
    };
  });
}

const NO_CAPABILITY = { cp: NaN, cpk: NaN, pp: NaN, ppk: NaN };

function controlChart(asset: Asset, spec: ChartSpec, state: QualityState): Chart {
  const stored = state.charts.get(spec.name);
  const track = stored?.fingerprint === fingerprintOf(asset.kind, spec) ? stored : undefined;
  const limits = track?.state.limits;
  const { cp, cpk, pp, ppk } = track && limits ? capabilityNow(track, spec, limits) : NO_CAPABILITY;
  return {
    id: `${asset.id}/${spec.name}`,
    type: CHART_TYPES[spec.type],
    center: limits?.location.center ?? NaN,
    lowerLimit: limits?.location.lower ?? NaN,
    upperLimit: limits?.location.upper ?? NaN,
    points: kept(track?.points ?? []).map(({ timeUs, value, rules }) => ({ timeUs, value, rules: [...rules] })),
    cp,
    cpk,
    pp,
    ppk,
  };
}

function multivariateCharts(asset: Asset, baseline: MonitorBaseline, state: QualityState): Chart[] {
  return statistics(baseline).map(({ name, type, limit }) => ({
    id: `${asset.id}/${name}`,
    type,
    center: 0,
    lowerLimit: 0,
    upperLimit: limit,
    points: kept(state[name].points).map(({ timeUs, value }) => ({ timeUs, value, rules: [] })),
    ...NO_CAPABILITY,
  }));
}
