import type { InferenceEngine, InferenceScheduler, ScheduledRun } from '@millwright/models';
import { ATTRIBUTES, METRICS, type Telemetry } from '@millwright/observability';

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
