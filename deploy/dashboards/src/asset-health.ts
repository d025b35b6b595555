import { METRICS } from '@millwright/observability';
import { choice, dashboard, lines, states, table } from './panels.js';
import { count, grown, legend, max, series, sum } from './promql.js';

const CHOSEN = { line: '=~"$line"', asset: '=~"$asset"' };
const OF_ASSET = { asset: '=~"$asset"' };

const PRIORITIES = [
  { value: 0, text: 'no alarm', color: 'green' },
  { value: 1, text: 'low', color: 'blue' },
  { value: 2, text: 'medium', color: 'yellow' },
  { value: 3, text: 'high', color: 'orange' },
  { value: 4, text: 'urgent', color: 'red' },
];

export const assetHealth = dashboard('asset-health', 'Asset health', 'What has been wrong with which machine, and since when.')
  .withVariable(choice('line', 'Line', METRICS.assetPriority, 'line'))
  .withVariable(choice('asset', 'Asset', METRICS.assetPriority, 'asset'))
  .withPanel(states({ title: 'Health', description: 'Priority of the most urgent standing alarm of each asset.' }, { expr: max(series(METRICS.assetPriority, CHOSEN), ['asset']), legend: legend('asset') }, PRIORITIES))
  .withPanel(table({ title: 'What was wrong', description: 'Alarms raised in the time shown, by asset and condition. An asset that stands at the top week after week wants more than acknowledging.' }, { expr: sum(grown(METRICS.alarmEvents, { ...OF_ASSET, alarmEvent: '="raised"' }), ['asset', 'condition', 'priority']) }, { asset: 'Asset', condition: 'Condition', priority: 'Priority' }, 'Raised'))
  .withPanel(table({ title: 'What charts and monitors found', description: 'Evaluations with a finding in the time shown, by asset and kind.' }, { expr: sum(grown(METRICS.qualityFindings, OF_ASSET), ['asset', 'finding']) }, { asset: 'Asset', finding: 'Finding' }, 'Findings'))
  .withPanel(lines({ title: 'Assets by kind, in alarm', description: 'How many machines of a kind have a standing alarm: several of one kind at a time have a cause in common.' }, [{ expr: count(`${series(METRICS.assetPriority, CHOSEN)} > 0`, ['assetKind']), legend: legend('assetKind') }], { stacked: true }))
  .withPanel(lines({ title: 'Assets by kind', description: 'Machines that are watched.' }, [{ expr: count(series(METRICS.assetPriority, CHOSEN), ['assetKind']), legend: legend('assetKind') }], { stacked: true }));
