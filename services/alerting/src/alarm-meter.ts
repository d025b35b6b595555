import { AlarmEvent, AlarmEventType, AlarmState, Priority, TOPICS, type Alarm } from '@millwright/contracts';
import { ATTRIBUTES, METRICS, type Telemetry } from '@millwright/observability';
import type { Plant } from '@millwright/plant';
import type { CommitListener } from '@millwright/shell';
import { partitionFor } from '@millwright/streams';

const PRIORITIES = { [Priority.LOW]: 'low', [Priority.MEDIUM]: 'medium', [Priority.HIGH]: 'high', [Priority.URGENT]: 'urgent' } as const;
const STATES = {
  [AlarmState.UNACKNOWLEDGED]: 'unacknowledged',
  [AlarmState.ACKNOWLEDGED]: 'acknowledged',
  [AlarmState.RETURNED_UNACKNOWLEDGED]: 'returned_unacknowledged',
} as const;
const EVENTS = { [AlarmEventType.RAISED]: 'raised', [AlarmEventType.CLEARED]: 'cleared', [AlarmEventType.ACKNOWLEDGED]: 'acknowledged' } as const;

/** Stale after ISA-18.2-2016, clause 16: an alarm that has been standing for more than 24 hours. */
const STALE_US = 24 * 3_600_000_000;

const named = <K extends number>(names: Readonly<Record<K, string>>, key: number): string => (names as Readonly<Record<number, string>>)[key] ?? 'other';

/** Counts what happens to alarms, as it is committed: once in the whole cluster, whatever instance does it. */
export function alarmMeter(telemetry: Telemetry): CommitListener {
  const events = telemetry.counter(METRICS.alarmEvents);
  const acknowledgeTime = telemetry.histogram(METRICS.acknowledgeTime);
  return ({ outputs }) => {
    for (const { topic, value, headers } of outputs) {
      if (topic !== TOPICS.alarms.name || headers.schema !== TOPICS.alarms.schema) continue;
      const { type, timeUs, alarm } = AlarmEvent.decode(value);
      if (alarm === undefined) continue;
      const priority = { [ATTRIBUTES.priority]: named(PRIORITIES, alarm.priority) };
      events.add(1, { [ATTRIBUTES.alarmEvent]: named(EVENTS, type), [ATTRIBUTES.asset]: alarm.asset, [ATTRIBUTES.condition]: alarm.condition, ...priority });
      if (type === AlarmEventType.ACKNOWLEDGED) acknowledgeTime.record((timeUs - alarm.raisedUs) / 1e6, priority);
    }
  };
}

export interface StandingAlarms {
  readonly plant: Plant;
  /** Alarms that are not normal, of all partitions. */
  open(): Iterable<Alarm>;
  /** Partitions that this process holds: the others are for other instances to tell of. */
  assignment(): readonly number[];
  /** Partitions of every topic. */
  readonly partitions: number;
  readonly nowUs: () => number;
}

/** Exports how many alarms stand, and how urgent the worst of each asset is. */
export function observeAlarms(telemetry: Telemetry, { plant, open, assignment, partitions, nowUs }: StandingAlarms): void {
  const { standingAlarms, staleAlarms, assetPriority } = METRICS;
  const partitionOf = new Map([...plant.assets.keys()].map((asset) => [asset, partitionFor(asset, partitions)]));
  telemetry.observe([standingAlarms, staleAlarms, assetPriority], (report) => {
    const held = new Set(assignment());
    const assets = [...plant.assets.values()].filter(({ id }) => held.has(partitionOf.get(id)!));
    const lines = new Map(assets.map(({ line }) => [line, { stale: 0, standing: new Map<string, number>() }]));
    const worst = new Map<string, number>();
    const staleBeforeUs = nowUs() - STALE_US;
    for (const { asset, priority, state, raisedUs } of open()) {
      const line = held.has(partitionOf.get(asset) ?? -1) ? lines.get(plant.assets.get(asset)!.line) : undefined;
      if (line === undefined) continue;
      const kind = `${priority}/${state}`;
      line.standing.set(kind, (line.standing.get(kind) ?? 0) + 1);
      if (raisedUs < staleBeforeUs) line.stale++;
      worst.set(asset, Math.max(priority, worst.get(asset) ?? 0));
    }
    for (const [name, { stale, standing }] of lines) {
      const at = { [ATTRIBUTES.line]: name };
      report(staleAlarms, stale, at);
      // Zeros too: a series that comes and goes can't be told from one that is not scraped.
      for (const [priority, priorityName] of Object.entries(PRIORITIES)) {
        for (const [state, stateName] of Object.entries(STATES)) {
          report(standingAlarms, standing.get(`${priority}/${state}`) ?? 0, { [ATTRIBUTES.priority]: priorityName, [ATTRIBUTES.alarmState]: stateName, ...at });
        }
      }
    }
    for (const { id, kind, line } of assets) {
      report(assetPriority, worst.get(id) ?? 0, { [ATTRIBUTES.asset]: id, [ATTRIBUTES.assetKind]: kind.name, [ATTRIBUTES.line]: line });
    }
  });
}
