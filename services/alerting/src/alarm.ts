import type { AlarmCause, AlarmState as StateName, Condition } from '@millwright/alarms';
import { Alarm, AlarmEventType, AlarmState, Priority } from '@millwright/contracts';
import type { AlarmPriority, Asset } from '@millwright/plant';
import { conditionSubject, faultOf, priorityOf } from './conditions.js';
import type { Detail } from './state.js';

const STATES: Readonly<Record<StateName, AlarmState>> = {
  normal: AlarmState.NORMAL,
  unacknowledged: AlarmState.UNACKNOWLEDGED,
  acknowledged: AlarmState.ACKNOWLEDGED,
  'returned-unacknowledged': AlarmState.RETURNED_UNACKNOWLEDGED,
};

const PRIORITIES: Readonly<Record<AlarmPriority, Priority>> = {
  low: Priority.LOW,
  medium: Priority.MEDIUM,
  high: Priority.HIGH,
  urgent: Priority.URGENT,
};

export const EVENT_TYPES: Readonly<Record<AlarmCause, AlarmEventType>> = {
  raised: AlarmEventType.RAISED,
  cleared: AlarmEventType.CLEARED,
  acknowledged: AlarmEventType.ACKNOWLEDGED,
};

/** Signals that a message names. */
const NAMED_SIGNALS = 3;

export const alarmId = (asset: string, condition: string): string => `${asset}/${condition}`;

/** The present state of a condition as it is published. */
export function toAlarm(asset: Asset, name: string, condition: Condition<Detail>): Alarm {
  return Alarm.fromPartial({
    id: alarmId(asset.id, name),
    asset: asset.id,
    group: asset.line,
    condition: name,
    fault: faultOf(name) ?? '',
    priority: PRIORITIES[priorityOf(asset, name)],
    state: STATES[condition.state],
    occurrence: condition.occurrence,
    raisedUs: condition.raisedUs,
    clearedUs: condition.clearedUs ?? 0,
    acknowledgedUs: condition.acknowledgement?.timeUs ?? 0,
    acknowledgedBy: condition.acknowledgement?.by ?? '',
    comment: condition.acknowledgement?.comment ?? '',
    evidence: condition.evidence,
    severity: condition.severity,
    message: `${asset.id}: ${describe(name, condition)}`,
    signals: [...(condition.detail?.signals ?? [])],
  });
}

function describe(name: string, { severity, detail }: Condition<Detail>): string {
  const fault = faultOf(name);
  if (fault === undefined) return detail?.description?.replace(/\.$/, '') || name;
  const signals = detail?.signals.slice(0, NAMED_SIGNALS) ?? [];
  const named = signals.length === 0 ? '' : `, signal${signals.length > 1 ? 's' : ''} ${signals.join(', ')}`;
  return `${faultInWords(conditionSubject(name))} (${Math.round(severity * 100)} %)${named}`;
}

/** "outer-race" is an outer race fault, "1" is fault 1. */
function faultInWords(label: string): string {
  if (/^\d+$/.test(label)) return `fault ${label}`;
  const words = label.replaceAll(/[-_]+/g, ' ');
  return /\bfault\b/i.test(words) ? words : `${words} fault`;
}
