import { TOPICS } from '@millwright/contracts';
import type { PipelineMeter } from './pipeline-meter.js';

/** Where the run stands, on one line: for logs and pipes. */
export function statusLine(meter: PipelineMeter): string {
  const time = meter.eventTimeUs > -Infinity ? new Date(meter.eventTimeUs / 1000).toISOString().slice(0, 19) : 'not begun';
  const found = [...meter.assets]
    .filter(([, { diagnosis }]) => diagnosis !== undefined && !diagnosis.normal)
    .map(([asset, { diagnosis }]) => `${asset}: ${diagnosis!.label} ${Math.round(diagnosis!.confidence * 100)} %`);
  const parts = [
    time,
    `in ${meter.count(TOPICS.telemetry) + meter.count(TOPICS.production)}`,
    `windows ${meter.count(TOPICS.features)}`,
    `diagnoses ${meter.diagnoses}`,
    `findings ${meter.count(TOPICS.quality)}`,
    `alarms ${meter.raised} (${meter.openAlarms.size} open)`,
    `dlq ${meter.deadLettered}, late ${meter.late}, lost ${meter.lost}, duplicated ${meter.duplicated}`,
    `p50 ${meter.latency.quantile(0.5) ?? '-'} ms, p99 ${meter.latency.quantile(0.99) ?? '-'} ms`,
  ];
  return `${parts.join(' | ')}${found.length > 0 ? ` | ${found.join(', ')}` : ''}`;
}
