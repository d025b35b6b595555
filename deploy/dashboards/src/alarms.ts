import { METRICS } from '@millwright/observability';
import { dashboard, lines, stat, table } from './panels.js';
import { grown, legend, orZero, quantile, quantileOver, series, sum } from './promql.js';

const RAISED = { alarmEvent: '="raised"' };

export const alarms = dashboard('alarms', 'Alarm KPIs', 'Whether people can work with the alarms: the performance measures of ISA-18.2 clause 16.')
  .withPanel(stat({ title: 'Standing', description: 'Alarms that are not normal.' }, { expr: sum(series(METRICS.standingAlarms)) }, { warning: 5, bad: 10 }))
  .withPanel(stat({ title: 'Unacknowledged', description: 'Nobody has taken notice of these.' }, { expr: sum(series(METRICS.standingAlarms, { alarmState: '=~"unacknowledged|returned_unacknowledged"' })) }, { warning: 1, bad: 5 }))
  .withPanel(stat({ title: 'Stale', description: 'Standing for more than 24 hours. ISA-18.2 wants fewer than 5, with a plan for each.' }, { expr: sum(series(METRICS.staleAlarms)) }, { warning: 1, bad: 5 }))
  .withPanel(stat({ title: 'Raised in 10 minutes', description: 'ISA-18.2: about 1 is very likely acceptable for one operator, 2 is the most that is manageable.' }, { expr: orZero(sum(grown(METRICS.alarmEvents, RAISED, '10m'))) }, { warning: 2, bad: 10 }))
  .withPanel(stat({ title: 'Raised in an hour', description: 'ISA-18.2: about 6 are acceptable, 12 the most that is manageable.' }, { expr: orZero(sum(grown(METRICS.alarmEvents, RAISED, '1h'))) }, { warning: 6, bad: 12 }))
  .withPanel(stat({ title: 'Share of time in flood', description: 'Of the time shown: more than 10 alarms in 10 minutes. ISA-18.2 wants less than 1 %.', unit: 'percentunit' }, { expr: `avg_over_time((${orZero(sum(grown(METRICS.alarmEvents, RAISED, '10m')))} > bool 10)[$__range:1m])` }, { warning: 0.01, bad: 0.05 }))
  .withPanel(lines({ title: 'Raised, by priority', description: 'In the 10 minutes before each point; above 10 is a flood.' }, [{ expr: sum(grown(METRICS.alarmEvents, RAISED, '10m'), ['priority']), legend: legend('priority') }], { stacked: true, limits: { bad: 10 } }))
  .withPanel(lines({ title: 'Standing by state', description: 'returned_unacknowledged: over by itself, and nobody saw it.' }, [{ expr: sum(series(METRICS.standingAlarms), ['alarmState']), legend: legend('alarmState') }], { stacked: true }))
  .withPanel(table({ title: 'Most frequent', description: 'The ten alarms raised most in the time shown. ISA-18.2 wants them below 5 % of all: mend the machine, or the limits in the plant file.' }, { expr: `topk(10, ${sum(grown(METRICS.alarmEvents, RAISED), ['asset', 'condition', 'priority'])})` }, { asset: 'Asset', condition: 'Condition', priority: 'Priority' }, 'Raised'))
  .withPanel(table({ title: 'Priorities', description: 'Alarms raised in the time shown. ISA-18.2 expects about 80 % low, 15 % medium, 5 % high: where most are high, none is.' }, { expr: sum(grown(METRICS.alarmEvents, RAISED), ['priority']) }, { priority: 'Priority' }, 'Raised'))
  .withPanel(lines({ title: 'Time to acknowledge', description: 'From raising to acknowledgement, median and 90th percentile, over an hour.', unit: 's' }, [0.5, 0.9].map((q) => ({ expr: quantileOver(q, METRICS.acknowledgeTime, '1h'), legend: `p${q * 100}` }))))
  .withPanel(lines({ title: 'From the sample to the alarm', description: 'Age of alarm events when they were committed. Diamonds lead to traces.', unit: 's' }, [0.5, 0.99].map((q) => ({ expr: quantile(q, METRICS.eventLatency, [], { topic: '="alarms.v1"' }), legend: `p${q * 100}`, exemplars: true }))));
