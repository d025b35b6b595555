import { FindingKind, type Finding } from '@millwright/contracts';
import type { AlarmPriority, AlarmRule, Asset } from '@millwright/plant';

/** Name of the condition that a diagnosis with this label is evidence of. */
export const diagnosisCondition = (label: string): string => `diagnosis/${label}`;

/** What a finding is called in alarm ids. A chart can be out of control and incapable: two conditions. */
const FINDING_CONDITIONS: Readonly<Partial<Record<FindingKind, string>>> = {
  [FindingKind.CONTROL_RULE]: 'quality',
  [FindingKind.MULTIVARIATE]: 'quality',
  [FindingKind.CAPABILITY]: 'capability',
  [FindingKind.SILENT_SIGNAL]: 'silent',
  [FindingKind.DRIFT]: 'drift',
};

/** Name of the condition that a finding is evidence of: "quality/t2", "silent/temperature". Undefined for a kind that is not known. */
export function findingCondition({ asset, chart, finding }: Finding): string | undefined {
  const group = FINDING_CONDITIONS[finding];
  const name = chart.startsWith(`${asset}/`) ? chart.slice(asset.length + 1) : chart;
  return group === undefined ? undefined : `${group}/${name}`;
}

/**
 * How severe a finding is: the ratio of value to limit for T² and SPE, 1 for others; 0 for one that has ended, for no
 * more evaluations of it are published.
 */
export function findingSeverity({ active, finding, value, upperLimit }: Finding): number {
  if (!active) return 0;
  const ratio = value / upperLimit;
  return finding === FindingKind.MULTIVARIATE && Number.isFinite(ratio) ? ratio : 1;
}

/** The part of a condition's name after the first "/": fault label, chart or signal. */
export const conditionSubject = (condition: string): string => condition.slice(condition.indexOf('/') + 1);

const isDiagnosis = (condition: string): boolean => condition.startsWith('diagnosis/');

/** Fault label of a condition that diagnoses are evidence of. */
export const faultOf = (condition: string): string | undefined => (isDiagnosis(condition) ? conditionSubject(condition) : undefined);

/** The plant file's rule for a condition of an asset. */
export function ruleOf({ kind: { alarms } }: Asset, condition: string): AlarmRule {
  if (isDiagnosis(condition)) return alarms.diagnosis;
  return condition.startsWith('silent/') ? alarms.silentSignal : alarms.finding;
}

export function priorityOf(asset: Asset, condition: string): AlarmPriority {
  const fault = faultOf(condition);
  const own = fault === undefined ? undefined : asset.kind.alarms.faultPriority[fault];
  return own ?? ruleOf(asset, condition).priority;
}
