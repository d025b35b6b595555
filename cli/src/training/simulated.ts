import { createHash } from 'node:crypto';
import { DatasetBuilder, Random, select, splitByRun } from '@millwright/learning';
import { suggestion, type Asset, type Plant, type ScheduledFault } from '@millwright/plant';
import { FeatureExtractor } from '@millwright/signal';
import { createSimulator } from '@millwright/simulator';
import { fitClassifier, rounded, writeClassifier, type ClassifierSettings } from './classifier.js';
import type { Metrics } from './tennessee-eastman.js';
import { windowsOf, type Window } from './windows.js';

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
  /** Individuals of each class; 40 where left out. */
  readonly individuals?: number;
}

const NORMAL = 'normal';
/** Windows of a run: in good health, with the fault, and after it, while the machine recovers. */
const BEFORE = 8;
const DURING = 30;
const AFTER = 12;
/** Windows at the beginning that are left out: not all signals have filled them. */
const FILLING = 2;
/** Every fourth individual is held out for the figures. */
const HELD_OUT = 4;
const LEAST_SEVERITY = 0.3;

/** How much good health counts beside each fault: a false alarm costs more than a fault found a window later. */
const HEALTH = 2;

const SETTINGS: Omit<ClassifierSettings, 'seed'> = {
  networks: 2,
  clip: 20,
  training: { hidden: [24], epochs: 20, batch: 64, learningRate: 3e-3, weightDecay: 1e-2, inputNoise: 0.3, labelSmoothing: 0.02 },
};

/**
 * Trains a diagnosis on simulated individuals of a kind, healthy ones and such that get a fault of a severity from 0.3 to
 * 1 and lose it again, on the path that live data takes. The same plant and seed give the same bytes.
 */
export async function trainSimulatedDiagnosis({ plant, kind: kindName, faults, name, out, seed, individuals = 40 }: SimulatedDiagnosisRequest): Promise<Metrics> {
  const kind = plant.kinds.get(kindName);
  if (kind === undefined || plant.simulation === undefined) throw new Error(`plant ${plant.name} has no simulated kind ${kindName}; ${suggestion(kindName, plant.kinds.keys())}`);
  const { startUs, machines } = plant.simulation;
  const { lengthUs, hopUs } = kind.window;
  const asset: Asset = { id: 'training', kind, site: '', area: '', line: '', description: '' };
  const { names } = new FeatureExtractor(kind);
  const labels = [NORMAL, ...faults];
  const builder = new DatasetBuilder(names, labels);
  const hash = createHash('sha256');
  const random = new Random(seed);
  const [afterUs, durationUs] = [BEFORE * hopUs, DURING * hopUs];
  for (let run = 0; run < individuals * labels.length; run++) {
    const label = labels[run % labels.length]!;
    const severity = LEAST_SEVERITY + (1 - LEAST_SEVERITY) * random.uniform();
    const scheduled: ScheduledFault[] = label === NORMAL ? [] : [{ asset: asset.id, fault: label, afterUs, durationUs, severity, growthUs: 0 }];
    const one: Plant = { ...plant, assets: new Map([[asset.id, asset]]), simulation: { seed: seed * 100_000 + run, startUs, machines, faults: scheduled } };
    const windows = await windowsOf(one, createSimulator(one), hash, lengthUs + (BEFORE + DURING + AFTER) * hopUs);
    for (const window of windows.slice(FILLING)) {
      const truth = label === NORMAL ? NORMAL : labelOf(window, startUs + afterUs, startUs + afterUs + durationUs, label);
      if (truth !== undefined && window.missingRatio < 1) builder.add(window.values, truth, run);
    }
  }
  const data = select(builder.build(), names.filter(isUsed));
  const heldOut = new Set(Array.from({ length: individuals * labels.length }, (_, run) => run).filter((run) => Math.floor(run / labels.length) % HELD_OUT === 0));
  const { classifier, evaluation } = fitClassifier(data, splitByRun(data, heldOut), NORMAL, {
    ...SETTINGS,
    training: { ...SETTINGS.training, classWeights: labels.map((label) => (label === NORMAL ? HEALTH : 1)) },
    seed,
  });
  const metrics: Record<string, number> = { heldOutRows: evaluation.rows, heldOutAccuracy: rounded(evaluation.balancedAccuracy), heldOutMacroF1: rounded(evaluation.macroF1) };
  labels.forEach((label, i) => (metrics[`recall.${label}`] = rounded(evaluation.recall[i]!)));
  await writeClassifier(out, data, classifier, {
    name,
    version: '1.0.0',
    description: `Which fault a ${kind.name} has, if any: ${faults.join(', ')}`,
    kinds: [kind.name],
    normal: NORMAL,
    training: {
      data: `${individuals} simulated individuals of kind ${kind.name} in good health, and as many with each fault, ${BEFORE} windows before it, ${DURING} with it and ${AFTER} after it`,
      dataSha256: hash.digest('hex'),
      command: `millwright train --plant ${plant.name} --seed ${seed}`,
      metrics,
    },
  });
  return metrics;
}

/** What a window shows: the fault from when it fills half of it until it ends, health before and after, and nothing clear between. */
function labelOf({ startUs, endUs }: Window, fromUs: number, untilUs: number, fault: string): string | undefined {
  if (endUs <= fromUs || startUs >= untilUs) return NORMAL;
  return (startUs + endUs) / 2 >= fromUs && endUs <= untilUs ? fault : undefined;
}

/** z-scores look back at how a run went, and missing ratios at the network: neither is the machine's health. */
function isUsed(feature: string): boolean {
  return !feature.endsWith('.z') && !feature.endsWith('.missing_ratio');
}
