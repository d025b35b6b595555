import { c4, d2, d3 } from './constants.js';
import { addNelsonPoint } from './nelson.js';

export type ControlChartType = 'xbar-r' | 'xbar-s' | 'i-mr';

/** What a pair of control charts is set up with. */
export interface ControlChartSpec {
  readonly type: ControlChartType;
  /** Values per subgroup: 1 for i-mr, 2 to 25 for xbar-r, 2 or more for xbar-s. */
  readonly subgroup: number;
  /** Subgroups of phase I, at least 2. */
  readonly baseline: number;
  /** Nelson rules in force on the chart of location, 1 to 8. */
  readonly rules: readonly number[];
}

export interface Limits {
  readonly center: number;
  readonly lower: number;
  readonly upper: number;
}

/** What phase I leaves behind: frozen, phase II is judged by it. In the unit of the values. */
export interface ControlLimits {
  /** Standard deviation within subgroups of a single value. */
  readonly sigma: number;
  /** Chart of location: subgroup means, or single values. */
  readonly location: Limits;
  /** Chart of dispersion: ranges, standard deviations, or moving ranges. */
  readonly dispersion: Limits;
}

/** One point of both charts of a pair. */
export interface ControlPoint {
  /** Mean of the subgroup, or the value itself. */
  readonly location: number;
  /** Range, standard deviation or moving range; NaN for the first moving range. */
  readonly dispersion: number;
  /** Sum of squared deviations from the subgroup's mean; 0 for i-mr. */
  readonly squares: number;
  /** Nelson rules that the chart of location breaks here; none in phase I. */
  readonly rules: readonly number[];
  /** Whether the chart of dispersion is beyond its limits here; false in phase I. */
  readonly dispersionOut: boolean;
}

/** All that a pair of charts remembers: bounded, plain data, so that it can be stored. */
export interface ControlChartState {
  /** Values of the subgroup that is not complete yet. */
  pending: number[];
  /** Last value, for the next moving range; NaN at first. */
  previous: number;
  /** Subgroups of phase I so far, and the sums over them. */
  subgroups: number;
  locationSum: number;
  dispersionSum: number;
  /** Set once phase I is over. */
  limits: ControlLimits | undefined;
  /** Last points of the chart of location in phase II, in sigmas from the centre. */
  memory: number[];
}

export function newControlChart(): ControlChartState {
  return { pending: [], previous: NaN, subgroups: 0, locationSum: 0, dispersionSum: 0, limits: undefined, memory: [] };
}

/**
 * Takes one value in. Consecutive values form subgroups; an incomplete subgroup waits for its missing values and is never
 * judged (its limits would be wider); what is not a finite number is no value. The first `baseline` subgroups are phase I: they set the limits,
 * which are frozen from then on; later points are phase II. With a moving range phase I has one fewer of those than values.
 * @param state changed in place
 * @returns the point that the value completed, or undefined when the subgroup is not complete
 */
export function addValue(spec: ControlChartSpec, state: ControlChartState, value: number): ControlPoint | undefined {
  if (!Number.isFinite(value)) return undefined;
  state.pending.push(value);
  if (state.pending.length < spec.subgroup) return undefined;
  const subgroup = state.pending;
  state.pending = [];

  let sum = 0;
  for (const v of subgroup) sum += v;
  const location = sum / subgroup.length;
  let squares = 0;
  for (const v of subgroup) squares += (v - location) ** 2;
  const dispersion = dispersionOf(spec.type, subgroup, squares, state.previous);
  state.previous = value;

  if (state.limits === undefined) {
    state.subgroups++;
    state.locationSum += location;
    if (!Number.isNaN(dispersion)) state.dispersionSum += dispersion;
    if (state.subgroups === spec.baseline) {
      const dispersions = spec.type === 'i-mr' ? state.subgroups - 1 : state.subgroups;
      state.limits = controlLimits(spec, state.locationSum / state.subgroups, state.dispersionSum / dispersions);
    }
    return { location, dispersion, squares, rules: [], dispersionOut: false };
  }
  const { limits } = state;
  const rules = addNelsonPoint(state.memory, inSigmas(location, limits.location), spec.rules);
  return { location, dispersion, squares, rules, dispersionOut: dispersion > limits.dispersion.upper || dispersion < limits.dispersion.lower };
}

/**
 * Shewhart limits at three sigma of the plotted statistic (Montgomery, Introduction to Statistical Quality Control, ch. 6).
 * Location: center ± 3 sigma / sqrt(n). Dispersion: R ± 3 R d3 / d2, or s ± 3 s sqrt(1 - c4²) / c4, not below 0.
 * @param meanLocation mean of the subgroup means (of the values for i-mr)
 * @param meanDispersion mean range, standard deviation or moving range
 */
export function controlLimits(spec: Pick<ControlChartSpec, 'type' | 'subgroup'>, meanLocation: number, meanDispersion: number): ControlLimits {
  const n = spec.type === 'i-mr' ? 2 : spec.subgroup;
  const unit = spec.type === 'xbar-s' ? c4(n) : d2(n);
  const unitSpread = spec.type === 'xbar-s' ? Math.sqrt(1 - c4(n) ** 2) : d3(n);
  const sigma = meanDispersion / unit;
  const half = (3 * sigma) / Math.sqrt(spec.subgroup);
  return {
    sigma,
    location: { center: meanLocation, lower: meanLocation - half, upper: meanLocation + half },
    dispersion: {
      center: meanDispersion,
      lower: Math.max(0, meanDispersion - 3 * sigma * unitSpread),
      upper: meanDispersion + 3 * sigma * unitSpread,
    },
  };
}

function dispersionOf(type: ControlChartType, subgroup: readonly number[], squares: number, previous: number): number {
  switch (type) {
    case 'xbar-r':
      return Math.max(...subgroup) - Math.min(...subgroup);
    case 'xbar-s':
      return Math.sqrt(squares / (subgroup.length - 1));
    case 'i-mr':
      return Math.abs(subgroup[0]! - previous);
  }
}

/** Where phase I had no spread at all, any other value is infinitely far from the centre. */
function inSigmas(value: number, limits: Limits): number {
  const deviation = value - limits.center;
  return deviation === 0 ? 0 : (3 * deviation) / (limits.upper - limits.center);
}
