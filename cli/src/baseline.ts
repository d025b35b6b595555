import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FeatureVector, TelemetryBlock, TOPICS, unpackFloat64, type Source } from '@millwright/contracts';
import { suggestion, type Asset, type AssetKind, type Plant } from '@millwright/plant';
import { BaselineError, fitMonitorBaseline, formatMonitorBaseline, type MonitorBaseline } from '@millwright/quality';
import { openReplay } from '@millwright/replay';
import { createFeaturesProcessor } from '@millwright/service-features';
import { baselineFile, FeatureSelection } from '@millwright/service-quality';
import { FeatureExtractor } from '@millwright/signal';
import { createTrainingRun } from '@millwright/simulator';
import { PureRun } from '@millwright/streams';

export interface BaselineRequest {
  readonly plant: Plant;
  /** Asset kind whose monitor the baseline is for. */
  readonly kind: string;
  /** Files of normal operation; where there are none, the simulated plant runs SIMULATED_RUNS healthy machines of the kind. */
  readonly data: readonly string[];
  /** Features to watch; the mean of every signal where left out. */
  readonly features?: readonly string[];
  /** False alarm probability of one window; 0.001 where left out. */
  readonly alpha?: number;
  /** Share of the variance that the components explain; 0.9 where left out. */
  readonly varianceExplained?: number;
}

/** Healthy individuals of a simulated kind, and how many windows of each. */
const SIMULATED_RUNS = 8;
const SIMULATED_WINDOWS = 120;

/**
 * Makes the baseline of a kind from data of normal operation, on the path that live data takes: blocks, features, PCA.
 * Writes it where the plant file names it.
 * @returns the file and what is in it
 * @throws BaselineError or ReplayError with one sentence where the data can't serve
 */
export async function makeBaseline(request: BaselineRequest): Promise<{ file: string; baseline: MonitorBaseline }> {
  const { plant, alpha = 0.001, varianceExplained = 0.9 } = request;
  const kind = plant.kinds.get(request.kind);
  if (kind === undefined) throw new BaselineError(`plant ${plant.name} has no kind ${request.kind}; ${suggestion(request.kind, plant.kinds.keys())}`);
  if (kind.monitor === undefined) throw new BaselineError(`kind ${kind.name} of plant ${plant.name} has no monitor section that names a baseline; add one`);
  const { names } = new FeatureExtractor(kind);
  const features = request.features ?? kind.signals.map((signal) => `${signal.name}.mean`);
  const unknown = features.find((feature) => !names.includes(feature));
  if (unknown !== undefined) throw new BaselineError(`${unknown} is not a feature of kind ${kind.name}; ${suggestion(unknown, names)}`);

  const selection = new FeatureSelection(names, features);
  const hash = createHash('sha256');
  const vectors: Float64Array[] = [];
  for await (const run of request.data.length > 0 ? replays(plant, request.data) : simulations(plant, kind)) {
    for (const values of await featureValues(run, kind, hash)) vectors.push(selection.select(values));
  }
  const baseline = fitMonitorBaseline(vectors, {
    kind: kind.name,
    features,
    alpha,
    varianceExplained,
    overlap: Math.ceil(kind.window.lengthUs / kind.window.hopUs),
    dataSha256: hash.digest('hex'),
  });
  const file = baselineFile(plant, kind.monitor.baseline);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, formatMonitorBaseline(baseline));
  return { file, baseline };
}

/** A stretch of operation, and the plant that its assets are in. */
interface Run {
  readonly plant: Plant;
  readonly source: Source;
  /** Event time from its start after which no more is taken, microseconds. */
  readonly lengthUs: number;
}

async function* replays(plant: Plant, files: readonly string[]): AsyncGenerator<Run> {
  for (const file of files) yield { plant, source: await openReplay(plant, file), lengthUs: Infinity };
}

function* simulations(plant: Plant, kind: AssetKind): Generator<Run> {
  const asset: Asset = { id: 'training', kind, site: '', area: '', line: '', description: '' };
  const training: Plant = { ...plant, assets: new Map([[asset.id, asset]]) };
  const { lengthUs, hopUs } = kind.window;
  for (let seed = 1; seed <= SIMULATED_RUNS; seed++) {
    yield { plant: training, source: createTrainingRun(plant, kind.name, { seed }), lengthUs: lengthUs + SIMULATED_WINDOWS * hopUs };
  }
}

/** Feature vectors of the assets of a kind in time order, asset by asset; the telemetry goes into the hash. */
async function featureValues({ plant, source, lengthUs }: Run, kind: AssetKind, hash: ReturnType<typeof createHash>): Promise<Float64Array[]> {
  const features = new PureRun(createFeaturesProcessor(plant));
  const byAsset = new Map<string, Map<number, Float64Array>>();
  const collect = (emissions: ReturnType<PureRun['push']>): void => {
    for (const { topic, key, value } of emissions) {
      if (topic !== TOPICS.features.name || plant.assets.get(key)?.kind !== kind) continue;
      const vector = FeatureVector.decode(value);
      const windows = byAsset.get(key) ?? new Map<number, Float64Array>();
      byAsset.set(key, windows);
      // A window that was amended counts as it was in the end.
      windows.set(vector.windowEndUs, unpackFloat64(vector.values).slice());
    }
  };

  let endUs = Infinity;
  try {
    for (let step = await source.next(); step !== undefined && step.advanceToUs <= endUs; step = await source.next()) {
      if (endUs === Infinity) endUs = step.advanceToUs + lengthUs;
      for (const block of step.blocks) {
        if (plant.assets.get(block.asset)?.kind !== kind) continue;
        const value = TelemetryBlock.encode(block).finish();
        hash.update(value);
        collect(features.push([{ key: block.asset, value, timeMs: Math.floor(block.startUs / 1000), schema: TOPICS.telemetry.schema }]));
      }
      collect(features.watermark(step.advanceToUs));
    }
  } finally {
    await source.close();
  }
  return [...byAsset.values()].flatMap((windows) => [...windows].sort(([a], [b]) => a - b).map(([, values]) => values));
}
