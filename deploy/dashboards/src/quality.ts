import { METRICS } from '@millwright/observability';
import { choice, dashboard, lines, stat, table } from './panels.js';
import { grown, legend, orZero, quantile, rate, sum } from './promql.js';

const OF = { asset: '=~"$asset"' };
const found = (finding: string): string => orZero(sum(grown(METRICS.qualityFindings, { ...OF, finding: `="${finding}"` })));

export const quality = dashboard('quality', 'Quality', 'What control charts, capability and process monitors find. Charts themselves: QualityService.ListCharts.')
  .withVariable(choice('asset', 'Asset', METRICS.assetPriority, 'asset'))
  .withPanel(stat({ title: 'Control rules broken', description: 'Points that break a Nelson rule, in the time shown.', width: 6 }, { expr: found('control_rule') }, { warning: 1, bad: 10 }))
  .withPanel(stat({ title: 'Capability too low', description: 'Evaluations with Cpk or Ppk below what the plant file asks.', width: 6 }, { expr: found('capability') }, { bad: 1 }))
  .withPanel(stat({ title: 'Process out of its normal state', description: 'Windows with T² or SPE over the limit.', width: 6 }, { expr: found('multivariate') }, { warning: 1, bad: 10 }))
  .withPanel(stat({ title: 'Silent signals', description: 'Evaluations at which a signal sent nothing: a sensor, a cable, a gateway.', width: 6 }, { expr: found('silent_signal') }, { bad: 1 }))
  .withPanel(lines({ title: 'Findings in 10 minutes', description: 'By kind.' }, [{ expr: sum(grown(METRICS.qualityFindings, OF, '10m'), ['finding']), legend: legend('finding') }], { stacked: true }))
  .withPanel(table({ title: 'Where', description: 'Findings in the time shown, by asset and kind.' }, { expr: sum(grown(METRICS.qualityFindings, OF), ['asset', 'finding']) }, { asset: 'Asset', finding: 'Finding' }, 'Findings'))
  .withPanel(table({ title: 'Alarms from charts and monitors', description: 'Raised in the time shown, by asset and chart.' }, { expr: sum(grown(METRICS.alarmEvents, { ...OF, alarmEvent: '="raised"', condition: '=~"(quality|silent)/.*"' }), ['asset', 'condition']) }, { asset: 'Asset', condition: 'Condition' }, 'Raised'))
  .withPanel(lines({ title: 'Production records', description: 'Orders, units and inspections that come from the MES, a second. None: charts of characteristics stand still.', unit: 'cps' }, [{ expr: sum(rate(METRICS.intakeRecords, { topic: '="production.v1"' }), ['outcome']), legend: legend('outcome') }]))
  .withPanel(lines({ title: 'From the sample to the finding, p99', description: 'Age of findings when they were committed.', unit: 's' }, [{ expr: quantile(0.99, METRICS.eventLatency, [], { processor: '="quality"' }), legend: 'quality.v1', exemplars: true }]));
