import { RowBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { METRICS } from '@millwright/observability';
import { dashboard, lines, stat, table } from './panels.js';
import { count, grown, ledger, legend, max, orZero, rate, series, sum } from './promql.js';

const WAITING = { alarmState: '=~"unacknowledged|returned_unacknowledged"' };

export const plantOverview = dashboard('plant-overview', 'Plant overview', 'How the plant is, and whether Millwright sees it.')
  .withPanel(stat({ title: 'Assets watched', description: 'Assets of the plant file. Fewer than usual: an instance of alerting is away.' }, { expr: count(series(METRICS.assetPriority)) }))
  .withPanel(stat({ title: 'Assets in high or urgent alarm', description: 'Look at them first; the table below names them.' }, { expr: orZero(count(`${series(METRICS.assetPriority)} >= 3`)) }, { bad: 1 }))
  .withPanel(stat({ title: 'Standing alarms', description: 'Alarms that are not normal, acknowledged or not.' }, { expr: sum(series(METRICS.standingAlarms)) }, { warning: 5, bad: 10 }))
  .withPanel(stat({ title: 'Waiting for acknowledgement', description: 'Nobody has said yet that they take care of these.' }, { expr: sum(series(METRICS.standingAlarms, WAITING)) }, { warning: 1, bad: 5 }))
  .withPanel(stat({ title: 'Behind the present', description: 'How far event time is behind the clock where it is slowest. A replay of old data says nothing here.', unit: 's' }, { expr: max(series(METRICS.watermarkDelay)) }, { warning: 10, bad: 60 }))
  .withPanel(stat({ title: 'Records lost', description: 'Sequence numbers that are missing. Must be 0: see the dashboard Streams.' }, { expr: ledger('="missing"') }, { bad: 1 }))
  .withRow(new RowBuilder('Assets'))
  .withPanel(table({ title: 'Assets in alarm', description: 'Priority of the most urgent standing alarm: 1 low, 2 medium, 3 high, 4 urgent.' }, { expr: max(`${series(METRICS.assetPriority)} > 0`, ['asset', 'assetKind', 'line']) }, { asset: 'Asset', assetKind: 'Kind', line: 'Line' }, 'Priority'))
  .withPanel(lines({ title: 'Standing alarms by line', description: 'Where in the plant the trouble is.' }, [{ expr: sum(series(METRICS.standingAlarms), ['line']), legend: legend('line') }], { stacked: true }))
  .withPanel(lines({ title: 'Alarms raised in 10 minutes', description: 'By priority. More than 10 in 10 minutes is a flood (ISA-18.2).' }, [{ expr: sum(grown(METRICS.alarmEvents, { alarmEvent: '="raised"' }, '10m'), ['priority']), legend: legend('priority') }], { stacked: true }))
  .withPanel(lines({ title: 'Findings of quality in 10 minutes', description: 'By kind: control rules, multivariate limits, capability, silent signals, drift.' }, [{ expr: sum(grown(METRICS.qualityFindings, {}, '10m'), ['finding']), legend: legend('finding') }], { stacked: true }))
  .withRow(new RowBuilder('Data'))
  .withPanel(lines({ title: 'Data taken in', description: 'Blocks of telemetry and production records that ingestion accepts a second.', unit: 'cps' }, [{ expr: sum(rate(METRICS.intakeRecords, { outcome: '="accepted"' }), ['topic']), legend: legend('topic') }]))
  .withPanel(lines({ title: 'Sources', description: 'Gateways and systems that ingestion has heard of lately. A drop: a gateway or the network.' }, [{ expr: sum(series(METRICS.intakeSources)), legend: 'sources' }]));
