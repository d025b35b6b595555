import { monitorEventLoopDelay, performance, PerformanceObserver, type PerformanceEntry } from 'node:perf_hooks';
import { getHeapSpaceStatistics } from 'node:v8';
import type { LedgerEntry, ProcessorStatus } from '@millwright/streams';
import { ATTRIBUTES, METRICS } from './generated/telemetry.js';
import { noTelemetry, type Telemetry } from './telemetry.js';

const OUTCOMES = {
  in: 'in',
  processed: 'processed',
  deadLettered: 'dead_lettered',
  late: 'late',
  repeated: 'repeated',
  missing: 'missing',
} as const satisfies Partial<Record<keyof LedgerEntry, string>>;

/** Exports ledger, lag, event time and assignment of processors; `statuses` is called at each collection. */
export function observeProcessors(telemetry: Telemetry, statuses: () => readonly ProcessorStatus[]): void {
  const { ledgerRecords, ledgerWatermarks, lag, watermarkDelay, assignedPartitions, pollAge, stalled } = METRICS;
  telemetry.observe([ledgerRecords, ledgerWatermarks, lag, watermarkDelay, assignedPartitions, pollAge, stalled], (report) => {
    const nowMs = Date.now();
    for (const status of statuses()) {
      const of = { [ATTRIBUTES.processor]: status.processor };
      report(assignedPartitions, status.assignment.length, of);
      report(pollAge, Math.max(0, nowMs - status.lastPollMs) / 1000, of);
      report(stalled, status.stalled === undefined ? 0 : 1, of);
      const slowest = new Map<string, number>();
      for (const { topic, partition, lag: behind, watermarkUs } of status.inputs) {
        report(lag, behind, { ...of, [ATTRIBUTES.topic]: topic, [ATTRIBUTES.partition]: String(partition) });
        if (watermarkUs !== undefined) slowest.set(topic, Math.min(watermarkUs, slowest.get(topic) ?? Infinity));
      }
      for (const [topic, reachedUs] of slowest) report(watermarkDelay, nowMs / 1e3 - reachedUs / 1e6, { ...of, [ATTRIBUTES.topic]: topic });
      for (const entry of status.ledger) {
        const at = { ...of, [ATTRIBUTES.topic]: entry.topic, [ATTRIBUTES.partition]: String(entry.partition) };
        report(ledgerWatermarks, entry.watermarks, at);
        for (const [field, outcome] of Object.entries(OUTCOMES)) report(ledgerRecords, entry[field as keyof typeof OUTCOMES], { ...at, [ATTRIBUTES.outcome]: outcome });
      }
    }
  });
}

/** What perf_hooks says of a garbage collection. */
type Collection = PerformanceEntry & { readonly detail: { readonly kind: number } };
/** perf_hooks' kinds of garbage collection. */
const GC_TYPES: Readonly<Record<number, string>> = { 1: 'minor', 4: 'major', 8: 'incremental', 16: 'weakcb' };
/** What monitorEventLoopDelay's own timer takes is no delay. */
const LOOP_RESOLUTION_MS = 20;

/** Exports memory, CPU time, garbage collection and the event loop of this process. Returns what stops it. */
export function observeProcess(telemetry: Telemetry): () => void {
  if (telemetry === noTelemetry) return () => undefined;
  const { cpuTime, memoryUsage, uptime, eventLoopDelayP99, eventLoopUtilization, heapUsed } = METRICS;
  const delay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  delay.enable();
  const collections = telemetry.histogram(METRICS.gcDuration);
  const collected = new PerformanceObserver((list) => {
    for (const { duration, detail } of list.getEntries() as Collection[]) collections.record(duration / 1e3, { [ATTRIBUTES.gcType]: GC_TYPES[detail.kind] ?? 'other' });
  });
  collected.observe({ entryTypes: ['gc'] });
  let utilization = performance.eventLoopUtilization();
  telemetry.observe([cpuTime, memoryUsage, uptime, eventLoopDelayP99, eventLoopUtilization, heapUsed], (report) => {
    const { user, system } = process.cpuUsage();
    report(cpuTime, user / 1e6, { [ATTRIBUTES.cpuMode]: 'user' });
    report(cpuTime, system / 1e6, { [ATTRIBUTES.cpuMode]: 'system' });
    report(memoryUsage, process.memoryUsage.rss());
    report(uptime, process.uptime());
    for (const { space_name: space, space_used_size: bytes } of getHeapSpaceStatistics()) report(heapUsed, bytes, { [ATTRIBUTES.heapSpace]: space });
    report(eventLoopDelayP99, Math.max(0, delay.percentile(99) / 1e9 - LOOP_RESOLUTION_MS / 1e3));
    delay.reset();
    const now = performance.eventLoopUtilization();
    report(eventLoopUtilization, performance.eventLoopUtilization(now, utilization).utilization);
    utilization = now;
  });
  return () => {
    delay.disable();
    collected.disconnect();
  };
}
