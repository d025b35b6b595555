import type { Hash } from 'node:crypto';
import { FeatureVector, TelemetryBlock, TOPICS, unpackFloat64, type Source } from '@millwright/contracts';
import type { Plant } from '@millwright/plant';
import { createFeaturesProcessor } from '@millwright/service-features';
import { PureRun, type Emission } from '@millwright/streams';

/** Features of one window, as the features service gives them. */
export interface Window {
  readonly startUs: number;
  readonly endUs: number;
  readonly values: Float64Array;
  /** Share of the expected samples that is missing. */
  readonly missingRatio: number;
}

/**
 * Plays a source through the features processor, as live data goes, up to `lengthUs` of event time.
 * @param plant with the source's one asset
 * @param hash takes in the telemetry as it came
 * @returns the windows of the asset in order, each as it was in the end
 */
export async function windowsOf(plant: Plant, source: Source, hash: Hash, lengthUs = Infinity): Promise<Window[]> {
  const run = new PureRun(createFeaturesProcessor(plant));
  const windows = new Map<number, Window>();
  const collect = (emissions: readonly Emission[]): void => {
    for (const { topic, value } of emissions) {
      if (topic !== TOPICS.features.name) continue;
      const { windowStartUs: startUs, windowEndUs: endUs, missingRatio, values } = FeatureVector.decode(value);
      windows.set(startUs, { startUs, endUs, missingRatio, values: unpackFloat64(values).slice() });
    }
  };
  let untilUs = Infinity;
  try {
    for (let step = await source.next(); step !== undefined && step.advanceToUs <= untilUs; step = await source.next()) {
      if (untilUs === Infinity) untilUs = step.advanceToUs + lengthUs;
      for (const block of step.blocks) {
        const value = TelemetryBlock.encode(block).finish();
        hash.update(value);
        collect(run.push([{ key: block.asset, value, timeMs: Math.floor(block.startUs / 1000), schema: TOPICS.telemetry.schema, source: block.source, sequence: block.sequence }]));
      }
      collect(run.watermark(step.advanceToUs));
    }
  } finally {
    await source.close();
  }
  return [...windows.values()].sort((a, b) => a.startUs - b.startUs);
}
