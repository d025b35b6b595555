import { METRICS } from '@millwright/observability';
import { dashboard, lines, stat } from './panels.js';
import { ledger, legend, max, quantile, rate, rateOf, series, sum } from './promql.js';

const ALARMS = { topic: '="alarms.v1"' };
/** Objectives as deploy/rules has them. Seconds within which an alarm should be there (a boundary of the histogram), and that event time may be behind. */
const ALARM_SECONDS = '30';
const FRESH_SECONDS = 30;
/** Error budgets, by what deploy/rules/recording.yaml calls the errors. */
const BUDGETS = { freshness: 0.001, loss: 0.00001, alarm_latency: 0.01 };

const inTime = (range: string): string => `${sum(rateOf(METRICS.eventLatency, 'bucket', { ...ALARMS, le: `="${ALARM_SECONDS}"` }, range))} / ${sum(rateOf(METRICS.eventLatency, 'count', ALARMS, range))}`;
const fresh = `avg(${max(series(METRICS.watermarkDelay), ['processor'])} < bool ${FRESH_SECONDS})`;
const answered = (by: 'service'): string =>
  `${sum(rateOf(METRICS.rpcDuration, 'count', { rpcStatus: '!~"INTERNAL|UNKNOWN|UNAVAILABLE|DATA_LOSS"' }), [by])} / ${sum(rateOf(METRICS.rpcDuration, 'count'), [by])}`;

export const slos = dashboard('slos', 'Service levels', 'Freshness, loss, alarm latency: what people who rely on Millwright may expect.')
  .withPanel(stat({ title: 'Alarms in time', description: `Share of alarm events of the time shown that were committed within ${ALARM_SECONDS} s of their event time.`, unit: 'percentunit', width: 6 }, { expr: inTime('$__range') }))
  .withPanel(stat({ title: 'Fresh', description: `Share of processors whose event time is less than ${FRESH_SECONDS} s behind the clock, over the time shown.`, unit: 'percentunit', width: 6 }, { expr: `avg_over_time((${fresh})[$__range:])` }))
  .withPanel(stat({ title: 'Lost', description: 'Records missing in any ledger. The goal is 0.', width: 6 }, { expr: ledger('="missing"') }, { bad: 1 }))
  .withPanel(stat({ title: 'Not used', description: 'Share of records read that were dead-lettered or late.', unit: 'percentunit', width: 6 }, { expr: `${ledger('=~"dead_lettered|late"')} / ${ledger('="in"')}` }, { warning: 0.0001, bad: 0.001 }))
  .withPanel(lines({ title: 'Budget burnt, by rate', description: 'Errors of the last hour over the error budget: at 1 the budget of 30 days lasts 30 days, at 14.4 two (and an alert fires). Objectives: fresh 99.9 % of the time, one record lost in 100,000, 99 % of alarms within 30 s.', width: 24 }, Object.entries(BUDGETS).map(([name, budget]) => ({ expr: `millwright:${name}_errors:ratio_1h / ${budget}`, legend: name.replace('_', ' ') })), { limits: { warning: 1, bad: 14.4 } }))
  .withPanel(lines({ title: 'From event to commit, p99', description: 'By topic: where on the way the time goes. Diamonds lead to traces.', unit: 's' }, [{ expr: quantile(0.99, METRICS.eventLatency, ['topic']), legend: legend('topic'), exemplars: true }]))
  .withPanel(lines({ title: 'Freshness', description: 'Slowest event time behind the clock, by processor.', unit: 's' }, [{ expr: max(series(METRICS.watermarkDelay), ['processor']), legend: legend('processor') }], { limits: { bad: FRESH_SECONDS } }))
  .withPanel(lines({ title: 'Taken in', description: 'Share of records offered that were accepted or known already.', unit: 'percentunit' }, [{ expr: `${sum(rate(METRICS.intakeRecords, { outcome: '!="refused"' }), ['topic'])} / ${sum(rate(METRICS.intakeRecords), ['topic'])}`, legend: legend('topic') }]))
  .withPanel(lines({ title: 'Calls answered', description: 'Share of gRPC calls that did not fail for a reason of ours.', unit: 'percentunit' }, [{ expr: answered('service'), legend: legend('service') }]))
  .withPanel(lines({ title: 'Lost, dead-lettered, late', description: 'Growth over 10 minutes.' }, [{ expr: sum(`increase(${series(METRICS.ledgerRecords, { outcome: '=~"missing|dead_lettered|late"' })}[10m])`, ['outcome']), legend: legend('outcome') }]));
