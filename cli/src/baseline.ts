import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Source } from '@millwright/contracts';
import { suggestion, type Asset, type AssetKind, type Plant } from '@millwright/plant';
import { BaselineError, fitMonitorBaseline, formatMonitorBaseline, type MonitorBaseline } from '@millwright/quality';
import { openReplay } from '@millwright/replay';
import { baselineFile, FeatureSelection } from '@millwright/service-quality';
import { FeatureExtractor } from '@millwright/signal';
import { createTrainingRun } from '@millwright/simulator';
import { windowsOf } from './training/windows.js';

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
  for await (const { plant: one, source, lengthUs } of request.data.length > 0 ? replays(plant, kind, request.data) : simulations(plant, kind)) {
    for (const { values } of await windowsOf(one, source, hash, lengthUs)) vectors.push(selection.select(values));
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

/** A stretch of operation of one asset, and the plant that has only this asset. */
interface Run {
  readonly plant: Plant;
  readonly source: Source;
  /** Event time from its start after which no more is taken, microseconds. */
  readonly lengthUs: number;
}

/** Each file is played once for each asset of the kind. */
async function* replays(plant: Plant, kind: AssetKind, files: readonly string[]): AsyncGenerator<Run> {
  for (const file of files) {
    for (const asset of plant.assets.values()) {
      if (asset.kind === kind) yield { plant: withOnly(plant, asset), source: await openReplay(plant, file), lengthUs: Infinity };
    }
  }
}

function* simulations(plant: Plant, kind: AssetKind): Generator<Run> {
  const asset: Asset = { id: 'training', kind, site: '', area: '', line: '', description: '' };
  const { lengthUs, hopUs } = kind.window;
  for (let seed = 1; seed <= SIMULATED_RUNS; seed++) {
    yield { plant: withOnly(plant, asset), source: createTrainingRun(plant, kind.name, { seed }), lengthUs: lengthUs + SIMULATED_WINDOWS * hopUs };
  }
}

function withOnly(plant: Plant, asset: Asset): Plant {
  return { ...plant, assets: new Map([[asset.id, asset]]) };
}
