import { Finding, ShadowFailure, ShadowResult, TOPICS } from '@millwright/contracts';
import type { InferenceEngine, InferenceScheduler, ScheduledRun } from '@millwright/models';
import { ATTRIBUTES, METRICS, type Telemetry } from '@millwright/observability';
import type { CommitListener } from '@millwright/shell';
import { compare } from './registry/comparison.js';

/** Measures calls of the engine. */
export function runMeter(telemetry: Telemetry, device: () => string): (run: ScheduledRun) => void {
  const size = telemetry.histogram(METRICS.inferenceBatchSize);
  const duration = telemetry.histogram(METRICS.inferenceDuration);
  return ({ model, rows, milliseconds }) => {
    const of = { [ATTRIBUTES.model]: model.manifest.name };
    size.record(rows, of);
    duration.record(milliseconds / 1000, { ...of, [ATTRIBUTES.device]: device() });
  };
}

/** Exports which models run where, and how many windows wait for them. */
export function observeModels(telemetry: Telemetry, engine: InferenceEngine, scheduler: InferenceScheduler): void {
  telemetry.observe([METRICS.modelLoaded, METRICS.inferenceQueueLength], (report) => {
    report(METRICS.inferenceQueueLength, scheduler.waiting);
    for (const { manifest } of engine.packages) {
      report(METRICS.modelLoaded, 1, {
        [ATTRIBUTES.model]: manifest.name,
        [ATTRIBUTES.modelVersion]: manifest.version,
        [ATTRIBUTES.modelTask]: manifest.task,
        [ATTRIBUTES.engine]: engine.name,
        [ATTRIBUTES.device]: engine.device,
      });
    }
  });
}

/** Counts what shadows answered beside production, as it is committed. */
export function shadowMeter(telemetry: Telemetry, models: readonly string[]): CommitListener {
  const counts = new Map(models.map((model) => [model, { agreed: 0, differed: 0, failed: 0 }]));
  telemetry.observe([METRICS.shadowWindows], (report) => {
    for (const [model, outcomes] of counts) {
      for (const [outcome, count] of Object.entries(outcomes)) report(METRICS.shadowWindows, count, { [ATTRIBUTES.model]: model, [ATTRIBUTES.outcome]: outcome });
    }
  });
  return ({ outputs }) => {
    for (const { topic, value, headers } of outputs) {
      if (topic !== TOPICS.shadows.name || headers.schema !== TOPICS.shadows.schema) continue;
      const { shadow, production, failure } = ShadowResult.decode(value);
      const outcomes = shadow === undefined ? undefined : counts.get(shadow.model);
      if (outcomes === undefined) continue;
      const compared = shadow === undefined || production === undefined ? undefined : compare(shadow, production);
      if (failure !== ShadowFailure.UNSPECIFIED) outcomes.failed++;
      else if (compared !== undefined) outcomes[compared.agree ? 'agreed' : 'differed']++;
    }
  };
}

/** Counts findings of drift, as it is committed; that one has ended is no finding. */
export function driftMeter(telemetry: Telemetry): CommitListener {
  const findings = telemetry.counter(METRICS.qualityFindings);
  return ({ outputs }) => {
    for (const { topic, value, headers } of outputs) {
      if (topic !== TOPICS.quality.name || headers.schema !== TOPICS.quality.schema) continue;
      const { asset, active } = Finding.decode(value);
      if (active) findings.add(1, { [ATTRIBUTES.finding]: 'drift', [ATTRIBUTES.asset]: asset });
    }
  };
}
