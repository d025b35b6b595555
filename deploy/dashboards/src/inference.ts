import { METRICS } from '@millwright/observability';
import { dashboard, lines, stat, table } from './panels.js';
import { grown, legend, max, mean, orZero, quantile, rate, rateOf, series, sum } from './promql.js';

export const inference = dashboard('inference', 'Inference', 'Models at work: how many windows, how fast, on what.')
  .withPanel(stat({ title: 'Windows judged', description: 'By all models, a second.', unit: 'cps', width: 6 }, { expr: sum(rateOf(METRICS.inferenceBatchSize, 'sum')) }))
  .withPanel(stat({ title: 'Windows waiting', description: 'For a place in a batch. Steadily above a few batches: more workers, more instances, or a GPU.', width: 6 }, { expr: sum(series(METRICS.inferenceQueueLength)) }, { warning: 2000, bad: 8000 }))
  .withPanel(stat({ title: 'Engines busy', description: 'Calls of the engine that run at a time, on average. At the number of workers it is full.', width: 6 }, { expr: sum(rateOf(METRICS.inferenceDuration, 'sum')) }))
  .withPanel(stat({ title: 'Drift findings', description: 'Inputs or outputs of a model that have left its training profile, in the time shown. Evaluate and retrain.', width: 6 }, { expr: orZero(sum(grown(METRICS.qualityFindings, { finding: '="drift"' }))) }, { bad: 1 }))
  .withPanel(table({ title: 'Models in use', description: 'Instances that run each. Two versions at a time: an upgrade is under way, or stuck.', width: 24 }, { expr: sum(series(METRICS.modelLoaded), ['model', 'modelVersion', 'modelTask', 'engine', 'device']) }, { model: 'Model', modelVersion: 'Version', modelTask: 'Task', engine: 'Engine', device: 'Device' }, 'Instances'))
  .withPanel(lines({ title: 'Windows judged by model', description: 'A second.', unit: 'cps' }, [{ expr: sum(rateOf(METRICS.inferenceBatchSize, 'sum'), ['model']), legend: legend('model') }]))
  .withPanel(lines({ title: 'Batch size', description: 'Windows of a call of the engine, mean and p99. Small under load: MILLWRIGHT_PARTITIONS is too high for the instances.' }, [
    { expr: mean(METRICS.inferenceBatchSize, ['model']), legend: `${legend('model')} mean` },
    { expr: quantile(0.99, METRICS.inferenceBatchSize, ['model']), legend: `${legend('model')} p99` },
  ]))
  .withPanel(lines({ title: 'Time on the device', description: 'Of a call of the engine, median and p99.', unit: 's' }, [
    { expr: quantile(0.5, METRICS.inferenceDuration, ['model', 'device']), legend: `${legend('model', 'device')} p50` },
    { expr: quantile(0.99, METRICS.inferenceDuration, ['model', 'device']), legend: `${legend('model', 'device')} p99` },
  ]))
  .withPanel(lines({ title: 'Queue', description: 'Windows waiting, by instance.' }, [{ expr: max(series(METRICS.inferenceQueueLength), ['instance']), legend: legend('instance') }]))
  .withPanel(lines({ title: 'Device time of a window', description: 'What a window costs: mean device time of a call over mean batch size. Rising: the device is shared or throttled.', unit: 's' }, [{ expr: `${sum(rateOf(METRICS.inferenceDuration, 'sum'), ['model'])} / ${sum(rateOf(METRICS.inferenceBatchSize, 'sum'), ['model'])}`, legend: legend('model') }]))
  .withPanel(lines({ title: 'Shadows', description: 'Windows that versions in the shadow judged beside production, a second. What differs: `millwright models compare`.', unit: 'cps' }, [{ expr: sum(rate(METRICS.shadowWindows), ['model', 'outcome']), legend: legend('model', 'outcome') }]))
  .withPanel(lines({ title: 'From the window to its judgement, p99', description: 'Age of results of inference when they were committed.', unit: 's' }, [{ expr: quantile(0.99, METRICS.eventLatency, [], { processor: '="inference"' }), legend: 'inferences.v1', exemplars: true }]));
