import type { Capability, ControlChartState, ControlLimits, Specification } from '@millwright/quality';
import { capability, newControlChart } from '@millwright/quality';
import type { AssetKind, ChartSpec } from '@millwright/plant';
import { signalsOf } from './feature-selection.js';

/** Points kept of each chart for the read side, and for capability. */
export const POINTS_KEPT = 100;

/** What the quality processor remembers of an asset. What comes of features and what comes of production records is kept apart. */
export interface QualityState {
  /** By chart name; each chart is fed by one input topic only. */
  readonly charts: Map<string, ChartTrack>;
  readonly t2: StatisticTrack;
  readonly spe: StatisticTrack;
  /** Signals that were silent in the newest window. */
  readonly silent: Set<string>;
  /** End of the newest window judged, microseconds since the epoch; -Infinity before the first. */
  newestWindowUs: number;
}

/** A pair of control charts and what it has shown. */
export interface ChartTrack {
  /** What it was set up with: another set-up in the plant file starts it anew. */
  readonly fingerprint: string;
  readonly state: ControlChartState;
  /** See keep() and kept(). */
  readonly points: TrackPoint[];
  /** Whether the last point broke a rule. */
  outOfControl: boolean;
  /** Whether Cpk was too small at the last point. */
  incapable: boolean;
}

export interface TrackPoint {
  readonly timeUs: number;
  readonly value: number;
  /** Sum of squared deviations from the mean within the subgroup. */
  readonly squares: number;
  readonly rules: readonly number[];
}

/** A multivariate statistic and what it has shown. */
export interface StatisticTrack {
  readonly points: { readonly timeUs: number; value: number }[];
  /** Whether the newest point was over the limit. */
  over: boolean;
}

export function initialState(): QualityState {
  return { charts: new Map(), t2: { points: [], over: false }, spe: { points: [], over: false }, silent: new Set(), newestWindowUs: -Infinity };
}

/** The track of a chart; a new one where there is none yet or where the plant file now asks for another chart by this name. */
export function trackOf(state: QualityState, name: string, fingerprint: string): ChartTrack {
  let track = state.charts.get(name);
  if (track?.fingerprint !== fingerprint) {
    // A condition that held is ended by the next point, whatever the chart that raised it was.
    track = { fingerprint, state: newControlChart(), points: [], outOfControl: track?.outOfControl ?? false, incapable: track?.incapable ?? false };
    state.charts.set(name, track);
  }
  return track;
}

/** All that decides what a chart's values mean: limits from values of other windows, or in another unit, would judge wrongly. */
export function fingerprintOf(kind: AssetKind, spec: ChartSpec): string {
  return `${spec.type}, ${spec.subgroup} x ${spec.baseline} of ${'feature' in spec.source ? featureSource(kind, spec.source.feature) : `characteristic ${spec.source.characteristic}`}`;
}

function featureSource({ signals, window: { lengthUs, hopUs } }: AssetKind, feature: string): string {
  const of = signalsOf(feature).map((name) => {
    const signal = signals.find((each) => each.name === name);
    return `${name} in ${signal?.unit} at ${signal?.rateHz} Hz`;
  });
  return `feature ${feature}, ${of.join(' and ')}, windows of ${lengthUs} us every ${hopUs} us`;
}

/** Adds a point. Those that are kept no more go many at a time, since moving the others costs the same for one as for a hundred. */
export function keep<P>(points: P[], point: P): void {
  points.push(point);
  if (points.length === 2 * POINTS_KEPT) points.splice(0, POINTS_KEPT);
}

/** The points that are kept, oldest first. */
export function kept<P>(points: readonly P[]): readonly P[] {
  return points.slice(-POINTS_KEPT);
}

/**
 * Capability of the process now: the mean and the overall standard deviation are those of the last points, as many as
 * phase I had (POINTS_KEPT at most); the standard deviation within subgroups is the frozen one of phase I, which a short
 * stretch estimates poorly and whose changes are for the chart of dispersion to show.
 */
export function capabilityNow(track: ChartTrack, spec: ChartSpec, limits: ControlLimits): Capability {
  const points = track.points.slice(-Math.min(spec.baseline, POINTS_KEPT));
  const mean = points.reduce((sum, point) => sum + point.value, 0) / points.length;
  const squares = points.reduce((sum, point) => sum + point.squares + spec.subgroup * (point.value - mean) ** 2, 0);
  const sigmaOverall = Math.sqrt(squares / (points.length * spec.subgroup - 1));
  return capability({ mean, sigmaWithin: limits.sigma, sigmaOverall }, specification(spec));
}

function specification(spec: ChartSpec): Specification {
  return {
    ...(spec.lowerSpec !== undefined && { lower: spec.lowerSpec }),
    ...(spec.upperSpec !== undefined && { upper: spec.upperSpec }),
    ...(spec.target !== undefined && { target: spec.target }),
  };
}
