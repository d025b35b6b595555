import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { Meter } from '@opentelemetry/api';
import type { LedgerEntry, ProcessorStatus } from '@millwright/streams';
import { ATTRIBUTES, METRICS } from './names.js';

const OUTCOMES = {
  in: 'in',
  processed: 'processed',
  deadLettered: 'dead_lettered',
  late: 'late',
  repeated: 'repeated',
  missing: 'missing',
} as const satisfies Partial<Record<keyof LedgerEntry, string>>;

/** Exports ledger, lag and assignment of processors; `statuses` is called at each collection. */
export function observeProcessors(meter: Meter, statuses: () => readonly ProcessorStatus[]): void {
  const records = meter.createObservableCounter(METRICS.ledgerRecords, { unit: '{record}', description: 'Loss ledger' });
  const watermarks = meter.createObservableCounter(METRICS.ledgerWatermarks, { unit: '{record}', description: 'Watermarks read' });
  const lag = meter.createObservableGauge(METRICS.lag, { unit: '{record}', description: 'Records behind the end of the log' });
  const assigned = meter.createObservableGauge(METRICS.assignedPartitions, { unit: '{partition}', description: 'Partitions held' });
  const pollAge = meter.createObservableGauge(METRICS.pollAge, { unit: 's', description: 'Age of the last answered poll' });
  const stalled = meter.createObservableGauge(METRICS.stalled, { unit: '1', description: '1 while there is no progress' });
  meter.addBatchObservableCallback(
    (observe) => {
      for (const status of statuses()) {
        const of = { [ATTRIBUTES.processor]: status.processor };
        observe.observe(lag, status.lag, of);
        observe.observe(assigned, status.assignment.length, of);
        observe.observe(pollAge, Math.max(0, Date.now() - status.lastPollMs) / 1000, of);
        observe.observe(stalled, status.stalled === undefined ? 0 : 1, of);
        for (const entry of status.ledger) {
          const at = { ...of, [ATTRIBUTES.topic]: entry.topic, [ATTRIBUTES.partition]: String(entry.partition) };
          observe.observe(watermarks, entry.watermarks, at);
          for (const [field, outcome] of Object.entries(OUTCOMES)) {
            observe.observe(records, entry[field as keyof typeof OUTCOMES], { ...at, [ATTRIBUTES.outcome]: outcome });
          }
        }
      }
    },
    [records, watermarks, lag, assigned, pollAge, stalled],
  );
}

/** Exports memory, CPU time and the event loop of this process. Returns what stops it. */
export function observeProcess(meter: Meter): () => void {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  let utilization = performance.eventLoopUtilization();
  meter
    .createObservableGauge(METRICS.eventLoopDelayP99, { unit: 's', description: '99th percentile of event loop delay since the last collection' })
    .addCallback((observe) => {
      observe.observe(Math.max(0, delay.percentile(99) / 1e9 - 0.02));
      delay.reset();
    });
  meter
    .createObservableGauge(METRICS.eventLoopUtilization, { unit: '1', description: 'Share of time that the event loop was busy since the last collection' })
    .addCallback((observe) => {
      const now = performance.eventLoopUtilization();
      observe.observe(performance.eventLoopUtilization(now, utilization).utilization);
      utilization = now;
    });
  meter
    .createObservableCounter(METRICS.cpuTime, { unit: 's', description: 'CPU time' })
    .addCallback((observe) => {
      const { user, system } = process.cpuUsage();
      observe.observe(user / 1e6, { 'cpu.mode': 'user' });
      observe.observe(system / 1e6, { 'cpu.mode': 'system' });
    });
  meter
    .createObservableGauge(METRICS.memoryUsage, { unit: 'By', description: 'Resident memory' })
    .addCallback((observe) => observe.observe(process.memoryUsage.rss()));
  return () => delay.disable();
}
