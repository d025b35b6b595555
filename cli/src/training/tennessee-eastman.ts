import { createHash } from 'node:crypto';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { DatasetBuilder, logits, scale, select, softmax, splitByBlocks, type Dataset } from '@millwright/learning';
import type { AssetKind, Plant } from '@millwright/plant';
import { openReplay } from '@millwright/replay';
import { FeatureExtractor, filterWindows } from '@millwright/signal';
import { fitClassifier, rounded, writeClassifier, type Classifier, type ClassifierSettings } from './classifier.js';
import { fitFilter, type Filter } from './fit-filter.js';
import { windowsOf } from './windows.js';

export interface DiagnosisRequest {
  /** The Tennessee Eastman plant. */
  readonly plant: Plant;
  /** Folder with d00.dat to d21.dat of Braatz's data set, plain or .gz, and the test files where they are to be measured. */
  readonly data: string;
  /** Folder of the package. */
  readonly out: string;
  readonly seed: number;
}

/** What the command reports: figures by name, as in the manifest. */
export type Metrics = Readonly<Record<string, number>>;

export const TEP_MODEL = 'tep-diagnosis';
const NORMAL = 'normal';
const FAULTS = 21;
/** Faults that leave next to no trace in the measurements, as every study of this data finds. */
const HIDDEN_FAULTS = new Set(['3', '9', '15']);
/** Row of the test files after which the fault is there. */
const FAULT_ROW = 160;
/** Statistics of each signal that the model looks at; more of them fit the one training run of a fault better, and no other. */
const STATISTICS = ['mean', 'std', 'slope'];
/** Rows of a stretch that is held out, of so many. */
const [HELD, PERIOD] = [40, 160];
/** Chance that the class changes within the three minutes from one window to the next: a fault is expected every fifty hours. */
const CHANGE = 0.001;
/** Confidence at which a wrong diagnosis counts as a false alarm in the figures. */
const CONFIDENT = 0.8;

const LABELS = [NORMAL, ...Array.from({ length: FAULTS }, (_, i) => String(i + 1))];

/** Normal operation counts thrice, and hidden faults a fifth: a window that could be either should be taken for normal. */
const CLASS_WEIGHTS = LABELS.map((label) => (label === NORMAL ? 3 : HIDDEN_FAULTS.has(label) ? 0.2 : 1));

/**
 * One run of each fault is little: windows of it resemble each other. So the network is small, noise as large as normal
 * operation's is added while it learns, and three networks are averaged.
 */
const SETTINGS: Omit<ClassifierSettings, 'seed'> = {
  networks: 3,
  clip: 20,
  training: {
    hidden: [64],
    epochs: 12,
    batch: 64,
    learningRate: 2e-3,
    weightDecay: 1e-2,
    inputNoise: 1,
    labelSmoothing: 0.02,
    classWeights: CLASS_WEIGHTS,
  },
};

/**
 * Trains the fault diagnosis of the Tennessee Eastman process on the path that live data takes: rows, telemetry blocks,
 * features processor. Labels are "normal" and the numbers of the faults. The same data and seed give the same bytes.
 */
export async function trainDiagnosis({ plant, data: folder, out, seed }: DiagnosisRequest): Promise<Metrics> {
  const kind = plant.assets.get(plant.replay?.asset ?? '')?.kind;
  if (kind === undefined) throw new Error(`plant ${plant.name} has no replay section that names an asset; train on plants/tep/plant.yaml`);
  const hash = createHash('sha256');
  const builder = new DatasetBuilder(new FeatureExtractor(kind).names, LABELS);
  for (const [fault, label] of LABELS.entries()) {
    const windows = await windowsOf(plant, await openReplay(plant, join(folder, `${nameOf(fault)}.dat`)), hash);
    for (const { values, missingRatio } of windows) if (missingRatio === 0) builder.add(values, label, fault);
  }
  const data = select(builder.build(), kind.signals.flatMap(({ name }) => STATISTICS.map((statistic) => `${name}.${statistic}`)));
  const overlap = Math.ceil(kind.window.lengthUs / kind.window.hopUs);
  const split = splitByBlocks(data, { period: PERIOD, held: HELD, gap: overlap });
  const { classifier, evaluation, probabilities } = fitClassifier(data, split, NORMAL, { ...SETTINGS, seed });
  const { classes, runs } = split.validation;
  const filter = fitFilter({ probabilities, classes, stretches: stretchesOf(runs) }, LABELS.indexOf(NORMAL), CLASS_WEIGHTS, CHANGE);
  const clear = [...evaluation.recall].filter((_, i) => !HIDDEN_FAULTS.has(LABELS[i]!));
  const metrics: Record<string, number> = {
    heldOutRows: evaluation.rows,
    heldOutAccuracy: rounded(evaluation.balancedAccuracy),
    heldOutAccuracyWithoutHiddenFaults: rounded(clear.reduce((sum, each) => sum + each, 0) / clear.length),
    ...(await testFigures(plant, folder, kind, data, classifier, filter)),
  };
  await writeClassifier(out, data, classifier, {
    name: TEP_MODEL,
    version: '1.0.0',
    description: 'Which of the 21 faults of the Tennessee Eastman process is there, from mean, spread and slope of all 52 signals over a window',
    kinds: [kind.name],
    normal: NORMAL,
    filter,
    training: {
      data: "Tennessee Eastman process, data files d00 to d21 of Braatz's group: one run of normal operation and one of each fault",
      dataSha256: hash.digest('hex'),
      command: `millwright train --plant ${plant.name} --data <folder with d00.dat to d21.dat> --seed ${seed}`,
      metrics,
    },
  });
  return metrics;
}

/** Number of the stretch that each held-out row is of. */
function stretchesOf(runs: Int32Array): number[] {
  const counts = new Map<number, number>();
  return Array.from(runs, (run) => {
    const row = counts.get(run) ?? 0;
    counts.set(run, row + 1);
    return run * PERIOD + Math.floor(row / HELD);
  });
}

/** How the model, filtered over time, does on the test files that are there: nothing of them was trained on. */
async function testFigures(plant: Plant, folder: string, kind: AssetKind, { features }: Dataset, { network, scaler }: Classifier, filter: Filter): Promise<Metrics> {
  const figures: Record<string, number> = {};
  const { names } = new FeatureExtractor(kind);
  for (const [fault, label] of LABELS.entries()) {
    const file = join(folder, `${nameOf(fault)}_te.dat`);
    if (!(await exists(file))) continue;
    const windows = await windowsOf(plant, await openReplay(plant, file), createHash('sha256'));
    const builder = new DatasetBuilder(names, LABELS);
    for (const { values } of windows) builder.add(values, label, fault);
    const scores = filterWindows(softmax(logits(network, scale(select(builder.build(), features), scaler), windows.length), LABELS.length), LABELS.length, LABELS.indexOf(NORMAL), filter);
    let healthy = 0;
    let falseAlarms = 0;
    let faulty = 0;
    let right = 0;
    const firstUs = plant.replay!.startUs;
    windows.forEach(({ endUs }, window) => {
      const of = scores.subarray(window * LABELS.length, (window + 1) * LABELS.length);
      const winner = of.indexOf(Math.max(...of));
      const row = Math.round((endUs - firstUs) / plant.replay!.intervalUs);
      if (fault === 0 || row <= FAULT_ROW) {
        healthy++;
        if (winner !== 0 && of[winner]! >= CONFIDENT) falseAlarms++;
      } else {
        faulty++;
        if (winner === fault) right++;
      }
    });
    figures[`${nameOf(fault)}_te.falseAlarmRate`] = rounded(falseAlarms / healthy);
    if (faulty > 0) figures[`${nameOf(fault)}_te.accuracy`] = rounded(right / faulty);
  }
  return figures;
}

const nameOf = (fault: number): string => `d${String(fault).padStart(2, '0')}`;

async function exists(file: string): Promise<boolean> {
  for (const path of [file, `${file}.gz`]) {
    const found = await access(path).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}
