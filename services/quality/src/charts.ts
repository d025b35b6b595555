import { ChartType, FindingKind, type Finding } from '@millwright/contracts';
import type { Asset, ChartSpec } from '@millwright/plant';
import { addValue, type ControlLimits, type ControlPoint } from '@millwright/quality';
import { finding, short } from './findings.js';
import { capabilityNow, keep, trackOf, type QualityState } from './state.js';

export const CHART_TYPES = { 'xbar-r': ChartType.XBAR_R, 'xbar-s': ChartType.XBAR_S, 'i-mr': ChartType.I_MR } as const;

const LOCATIONS = { 'xbar-r': 'mean', 'xbar-s': 'mean', 'i-mr': 'value' } as const;
const DISPERSIONS = { 'xbar-r': 'range', 'xbar-s': 'standard deviation', 'i-mr': 'moving range' } as const;

/** What each Nelson rule says, for people. */
const RULES = [
  'a point beyond three sigma',
  'nine points in a row on one side of the centre',
  'six points in a row rising or falling',
  'fourteen points in a row going up and down by turns',
  'two of three points beyond two sigma on one side',
  'four of five points beyond one sigma on one side',
  'fifteen points in a row within one sigma',
  'eight points in a row beyond one sigma on both sides',
] as const;

/** While a chart sets its limits there is nothing to judge by. */
const NO_LIMITS = { center: NaN, lower: NaN, upper: NaN };

/** A chart of an asset kind, with its fingerprint: made once, for every value asks for it. */
export interface KindChart {
  readonly spec: ChartSpec;
  readonly fingerprint: string;
}

/** Takes a value into a chart of the asset; returns what the point that it completes, if it does, shows. */
export function judgeValue(asset: Asset, { spec, fingerprint }: KindChart, state: QualityState, value: number, timeUs: number): Finding[] {
  const track = trackOf(state, spec.name, fingerprint);
  const point = addValue(spec, track.state, value);
  if (point === undefined) return [];
  keep(track.points, { timeUs, value: point.location, squares: point.squares, rules: point.rules });

  const { limits } = track.state;
  const findings: Finding[] = [];
  const outOfControl = point.rules.length > 0 || point.dispersionOut;
  if (outOfControl || track.outOfControl) findings.push(controlFinding(asset, spec, point, limits, timeUs));
  track.outOfControl = outOfControl;

  const cpk = limits === undefined || spec.minimumCpk === undefined ? NaN : capabilityNow(track, spec, limits).cpk;
  const incapable = spec.minimumCpk !== undefined && cpk < spec.minimumCpk;
  if (incapable || track.incapable) findings.push(capabilityFinding(asset, spec, cpk, timeUs, incapable));
  track.incapable = incapable;
  return findings;
}

/** The finding shows the chart of location, or that of dispersion where only that one is out. */
function controlFinding(asset: Asset, spec: ChartSpec, point: ControlPoint, limits: ControlLimits | undefined, timeUs: number): Finding {
  const ofDispersion = point.dispersionOut && point.rules.length === 0;
  const shown = (ofDispersion ? limits?.dispersion : limits?.location) ?? NO_LIMITS;
  const value = ofDispersion ? point.dispersion : point.location;
  const what = `${spec.name}: ${(ofDispersion ? DISPERSIONS : LOCATIONS)[spec.type]} ${short(value)}, limits ${short(shown.lower)} to ${short(shown.upper)}`;
  const why = point.rules.map((rule) => `${RULES[rule - 1]} (Nelson rule ${rule})`);
  if (point.dispersionOut) why.push(`${DISPERSIONS[spec.type]} beyond its limits`);
  return finding(asset, spec.name, {
    finding: FindingKind.CONTROL_RULE,
    chartType: CHART_TYPES[spec.type],
    timeUs,
    active: why.length > 0,
    rules: [...point.rules],
    value,
    center: shown.center,
    lowerLimit: shown.lower,
    upperLimit: shown.upper,
    description: why.length > 0 ? `${what}: ${why.join('; ')}.` : `${spec.name}: in control again, ${short(value)}.`,
  });
}

/** A condition of its own beside that of the control rules, told from it by the kind of the finding. */
function capabilityFinding(asset: Asset, spec: ChartSpec, cpk: number, timeUs: number, active: boolean): Finding {
  const wanted = spec.minimumCpk ?? NaN;
  return finding(asset, spec.name, {
    finding: FindingKind.CAPABILITY,
    chartType: CHART_TYPES[spec.type],
    timeUs,
    active,
    value: cpk,
    center: NaN,
    lowerLimit: wanted,
    upperLimit: NaN,
    description: active ? `${spec.name}: Cpk ${cpk.toFixed(2)} is below the ${wanted} asked for.` : `${spec.name}: Cpk ${cpk.toFixed(2)} is good enough again.`,
  });
}
