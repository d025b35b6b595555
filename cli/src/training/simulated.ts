import { createHash } from 'node:crypto';
import { DatasetBuilder, Random, select, splitByRun } from '@millwright/learning';
import { suggestion, type Asset, type Plant } from '@millwright/plant';
import { FeatureExtractor } from '@millwright/signal';
import { createTrainingRun } from '@millwright/simulator';
import { fitClassifier, rounded, writeClassifier, type ClassifierSettings } from './classifier.js';
import type { Metrics } from './tennessee-eastman.js';
import { windowsOf } from './windows.js';

export interface SimulatedDiagnosisRequest {
  readonly plant: Plant;
  /** Asset kind of the plant that is simulated. */
  readonly kind: string;
  /** Faults to tell apart, as the simulated machine names them. */
  readonly faults: readonly string[];
  /** Name of the package. */
  readonly name: string;
  readonly out: string;
  readonly seed: number;
}

const NORMAL = 'normal';
/** Individuals of each class, and windows of each. */
const RUNS = 40;
const WINDOWS = 30;
/** Windows at the beginning of a run that are left out: the machine and its loops settle. */
const SETTLING = 2;
/** Every fourth individual is held out for the figures. */
const HELD_OUT = 4;
const LEAST_SEVERITY = 0.3;

const SETTINGS: Omit<ClassifierSettings, 'seed'> = {
  networks: 2,
  clip: 20,
  training: { hidden: [24], epochs: 20, batch: 64, learningRate: 3e-3, weightDecay: 1e-2, inputNoise: 0.3, labelSmoothing: 0.02 },
};

/**
 * Trains a diagnosis on simulated individuals of a kind, healthy and with each fault at severities from 0.3 to 1, on the
 * path that live data takes. The same plant and seed give the same bytes.
 */
export async function trainSimulatedDiagnosis({ plant, kind: kindName, faults, name, out, seed }: SimulatedDiagnosisRequest): Promise<Metrics> {
  const kind = plant.kinds.get(kindName);
  if (kind === undefined) throw new Error(`plant ${plant.name} has no kind ${kindName}; ${suggestion(kindName, plant.kinds.keys())}`);
  const asset: Asset = { id: 'training', kind, site: '', area: '', line: '', description: '' };
  const training: Plant = { ...plant, assets: new Map([[asset.id, asset]]) };
  const { names } = new FeatureExtractor(kind);
  const labels = [NORMAL, ...faults];
  const builder = new DatasetBuilder(names, labels);
  const hash = createHash('sha256');
  const random = new Random(seed);
  const lengthUs = kind.window.lengthUs + (SETTLING + WINDOWS) * kind.window.hopUs;
  for (let run = 0; run < RUNS * labels.length; run++) {
    const label = labels[run % labels.length]!;
    const severity = LEAST_SEVERITY + (1 - LEAST_SEVERITY) * random.uniform();
    const source = createTrainingRun(plant, kind.name, { seed: seed * 100_000 + run, ...(label === NORMAL ? {} : { fault: label, severity }) });
    const windows = await windowsOf(training, source, hash, lengthUs);
    for (const { values, missingRatio } of windows.slice(SETTLING)) if (missingRatio < 1) builder.add(values, label, run);
  }
  const data = select(builder.build(), names.filter(isUsed));
  const heldOut = new Set(Array.from({ length: RUNS * labels.length }, (_, run) => run).filter((run) => Math.floor(run / labels.length) % HELD_OUT === 0));
  const { classifier, evaluation } = fitClassifier(data, splitByRun(data, heldOut), NORMAL, { ...SETTINGS, seed });
  const metrics: Record<string, number> = { heldOutRows: evaluation.rows, heldOutAccuracy: rounded(evaluation.balancedAccuracy), heldOutMacroF1: rounded(evaluation.macroF1) };
  labels.forEach((label, i) => (metrics[`recall.${label}`] = rounded(evaluation.recall[i]!)));
  await writeClassifier(out, data, classifier, {
    name,
    version: '1.0.0',
    description: `Which fault a ${kind.name} has, if any: ${faults.join(', ')}`,
    kinds: [kind.name],
    normal: NORMAL,
    training: {
      data: `${RUNS} simulated individuals of kind ${kind.name} in good health and with each fault, ${WINDOWS} windows of each`,
      dataSha256: hash.digest('hex'),
      command: `millwright train ${plant.name} --seed ${seed}`,
      metrics,
    },
  });
  return metrics;
}

/** z-scores look back at how a run went, and missing ratios at the network: neither is the machine's health. */
function isUsed(feature: string): boolean {
  return !feature.endsWith('.z') && !feature.endsWith('.missing_ratio');
}
