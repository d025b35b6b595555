import { TOPICS } from '@millwright/contracts';
import type { ProcessorStatus } from '@millwright/streams';
import type { PipelineMeter } from './pipeline-meter.js';

/** The figures of a run, as `--json` prints them on one line. */
export interface Summary {
  /** Telemetry blocks and production records that the log has. */
  readonly in: number;
  readonly features: number;
  readonly inferences: number;
  readonly findings: number;
  /** Alarms raised. */
  readonly alarms: number;
  readonly dlq: number;
  readonly late: number;
  /** Numbers missing in any topic, and records that a processor took in and did not account for. */
  readonly lost: number;
  readonly duplicated: number;
  /** From the arrival of the block that completes a window to its result; null without results. */
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
  readonly first_alarm: { readonly asset: string; readonly fault: string | number; readonly at_row: number | null } | null;
}

/** Records that came in by the ledger and went nowhere: 0 unless something is wrong. */
export function unaccounted(statuses: readonly ProcessorStatus[]): number {
  let sum = 0;
  for (const { ledger } of statuses) {
    for (const entry of ledger) sum += Math.max(0, entry.in - entry.processed - entry.deadLettered - entry.late - entry.repeated) + entry.missing;
  }
  return sum;
}

/**
 * @param statuses of all processors, after the line has drained
 * @param rowAt row of the replayed file at an event time, from 1; undefined where no file is played
 */
export function summarize(meter: PipelineMeter, statuses: readonly ProcessorStatus[], rowAt: (timeUs: number) => number | undefined): Summary {
  const first = meter.firstAlarm;
  return {
    in: meter.count(TOPICS.telemetry) + meter.count(TOPICS.production),
    features: meter.count(TOPICS.features),
    inferences: meter.count(TOPICS.inferences),
    findings: meter.count(TOPICS.quality),
    alarms: meter.raised,
    dlq: meter.deadLettered,
    late: meter.late,
    lost: Math.max(meter.lost, unaccounted(statuses)),
    duplicated: meter.duplicated,
    p50_ms: meter.latency.quantile(0.5),
    p99_ms: meter.latency.quantile(0.99),
    first_alarm: first === undefined ? null : { asset: first.asset, fault: /^\d+$/.test(first.fault) ? Number(first.fault) : first.fault, at_row: rowAt(first.timeUs) ?? null },
  };
}
