import { AlarmCommand, ChartType, Finding, FindingKind, InferenceResult, TOPICS } from '@millwright/contracts';
import type { AlarmRule, Asset, AssetKind, Plant } from '@millwright/plant';
import type { PureRecord } from '@millwright/streams';

export const SECOND = 1_000_000;
const rule = (fields: Partial<AlarmRule>): AlarmRule => ({ priority: 'medium', onAt: 1, offBelow: 0.9, onDelayUs: 0, offDelayUs: 0, ...fields });

const PUMP: AssetKind = {
  name: 'pump',
  window: { lengthUs: SECOND, hopUs: SECOND, graceUs: 0 },
  signals: [],
  models: ['rotating'],
  charts: [{ name: 'heat', type: 'i-mr', source: { feature: 'temperature.mean' }, subgroup: 1, baseline: 10, rules: [1] }],
  alarms: {
    diagnosis: rule({ priority: 'high', onAt: 0.7, offBelow: 0.5, onDelayUs: 3 * SECOND, offDelayUs: 2 * SECOND }),
    finding: rule({}),
    silentSignal: rule({ priority: 'low', onDelayUs: 5 * SECOND }),
    faultPriority: { 'inner-race': 'urgent' },
  },
};
const asset = (id: string): Asset => ({ id, kind: PUMP, site: 'Works', area: 'Hall', line: 'Line 1', description: '' });
export const PLANT: Plant = {
  name: 'test', enterprise: 'Test', directory: '', kinds: new Map([['pump', PUMP]]), assets: new Map(['P-101', 'P-102'].map((id) => [id, asset(id)])),
};

const record = (topic: { name: string; schema: string }, key: string, value: Uint8Array, timeUs: number): PureRecord => ({
  topic: topic.name, schema: topic.schema, key, value, timeMs: timeUs / 1000,
});

/** A diagnosis at `seconds`; what the faults leave is the probability of normal. */
export function diagnosed(seconds: number, faults: Record<string, number>, more: Partial<InferenceResult> = {}): PureRecord {
  const probabilities = Object.entries(faults).map(([label, probability]) => ({ label, probability }));
  probabilities.push({ label: 'healthy', probability: Math.max(0, 1 - probabilities.reduce((sum, each) => sum + each.probability, 0)) });
  const best = probabilities.reduce((a, b) => (b.probability > a.probability ? b : a));
  const timeUs = seconds * SECOND;
  const message = InferenceResult.fromPartial({
    asset: 'P-101',
    kind: 'pump',
    windowStartUs: timeUs - SECOND,
    windowEndUs: timeUs,
    model: 'rotating',
    modelVersion: '1',
    contributions: [{ signal: 'vibration', share: 0.7 }, { signal: 'temperature', share: 0.2 }],
    ...more,
  });
  message.result = { $case: 'diagnosis', value: { label: best.label, normal: best.label === 'healthy', confidence: best.probability, probabilities, ofWindow: [] } };
  return record(TOPICS.inferences, message.asset, InferenceResult.encode(message).finish(), timeUs);
}

export function found(seconds: number, active: boolean, fields: Partial<Finding> = {}): PureRecord {
  const message = Finding.fromPartial({
    asset: 'P-101', kind: 'pump', chart: 'P-101/heat', finding: FindingKind.CONTROL_RULE, chartType: ChartType.I_MR, timeUs: seconds * SECOND, active,
    description: active ? 'heat: 93 is beyond 3 sigma.' : 'heat: in control again.',
    ...fields,
  });
  return record(TOPICS.quality, message.asset, Finding.encode(message).finish(), message.timeUs);
}

export function acknowledged(alarmId: string, occurrence: number, by = 'ada'): PureRecord {
  const asset = alarmId.slice(0, alarmId.indexOf('/'));
  const message = AlarmCommand.fromPartial({ alarmId, asset, timeUs: 99 * SECOND });
  message.command = { $case: 'acknowledge', value: { occurrence, by, comment: 'seen' } };
  return record(TOPICS.alarmCommands, asset, AlarmCommand.encode(message).finish(), message.timeUs);
}
