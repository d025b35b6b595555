import { ChartType, FindingKind, type Finding, type SignalShare } from '@millwright/contracts';
import type { Asset } from '@millwright/plant';
import { BaselineError, Monitor, type MonitorBaseline } from '@millwright/quality';
import { FeatureSelection, signalsOf } from './feature-selection.js';
import { finding, short } from './findings.js';
import { keep, kept, type QualityState, type StatisticTrack } from './state.js';

/** Signals named in a finding. */
const SHARES = 5;

/** The limit of each multivariate chart by its name. */
export function statistics(baseline: MonitorBaseline): readonly { name: 't2' | 'spe'; title: string; type: ChartType; limit: number }[] {
  return [
    { name: 't2', title: 'T²', type: ChartType.T2, limit: baseline.t2Limit },
    { name: 'spe', title: 'SPE', type: ChartType.SPE, limit: baseline.speLimit },
  ];
}

/** Multivariate monitoring of the assets of one kind: T² and SPE of each window of features. */
export class ProcessMonitor {
  private readonly monitor: Monitor;
  private readonly selection: FeatureSelection;
  /** The signals that each feature of the baseline is made of. */
  private readonly signals: readonly (readonly string[])[];

  /**
   * @param layout names of the values of a feature vector of this kind
   * @throws BaselineError when the baseline needs a feature that the layout does not have
   */
  constructor(
    private readonly baseline: MonitorBaseline,
    kind: string,
    layout: readonly string[],
  ) {
    const unknown = baseline.features.find((feature) => !layout.includes(feature));
    if (unknown !== undefined) throw new BaselineError(`baseline of kind ${kind}: ${unknown} is not among its features: make it again with \`millwright quality baseline\``);
    this.selection = new FeatureSelection(layout, baseline.features);
    this.signals = baseline.features.map(signalsOf);
    this.monitor = new Monitor(baseline);
  }

  /** Judges a window that is as new as any before; returns what it shows. */
  judge(asset: Asset, state: QualityState, values: Float64Array, timeUs: number, revision: number): Finding[] {
    const score = this.score(values);
    if (score === undefined) return [];
    return statistics(this.baseline).flatMap(({ name, title, type, limit }) => {
      const track = state[name];
      const value = score[name];
      if (track.points.at(-1)?.timeUs === timeUs) track.points.pop();
      keep(track.points, { timeUs, value });
      const wasOver = track.over;
      track.over = value > limit;
      if (!track.over && !wasOver) return [];
      const contributions = this.shares(name === 't2' ? score.t2Contributions : score.speContributions);
      const description = track.over
        ? `${title} ${short(value)} is over its limit ${short(limit)}; most of it from ${contributions.map((share) => share.signal).join(', ')}.`
        : `${title} ${short(value)} is within its limit ${short(limit)} again.`;
      return finding(asset, name, {
        finding: FindingKind.MULTIVARIATE,
        chartType: type,
        timeUs,
        active: track.over,
        value,
        center: 0,
        lowerLimit: 0,
        upperLimit: limit,
        contributions,
        description,
        revision,
      });
    });
  }

  /** Corrects the points of a window that later ones have followed. The condition is that of the newest window, so nothing is published. */
  amend(state: QualityState, values: Float64Array, timeUs: number): void {
    const score = this.score(values);
    if (score === undefined) return;
    replacePoint(state.t2, timeUs, score.t2);
    replacePoint(state.spe, timeUs, score.spe);
  }

  private score(values: Float64Array): ReturnType<Monitor['evaluate']> {
    return this.monitor.evaluate(this.selection.select(values));
  }

  /** Contributions of features added up by signal, as shares of the whole; one of two signals is shared by both. */
  private shares(contributions: Float64Array): SignalShare[] {
    const bySignal = new Map<string, number>();
    let total = 0;
    contributions.forEach((contribution, j) => {
      total += contribution;
      const signals = this.signals[j]!;
      for (const signal of signals) bySignal.set(signal, (bySignal.get(signal) ?? 0) + contribution / signals.length);
    });
    if (total === 0) return [];
    return [...bySignal]
      .map(([signal, contribution]) => ({ signal, share: contribution / total }))
      .sort((a, b) => b.share - a.share)
      .slice(0, SHARES);
  }
}

function replacePoint(track: StatisticTrack, timeUs: number, value: number): void {
  const point = kept(track.points).find((candidate) => candidate.timeUs === timeUs);
  if (point) point.value = value;
}
