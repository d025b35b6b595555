import {
  distances, exportWindowModel, fitMahalanobis, fitMiniRocket, fitRidgePath, fitScaler, fitTemperature, predictOutputs, predictWindows, scaleWindows, scoresOf, softmax, summarise, takeWindows, trainBoosting, trainForest, transformMiniRocket,
  TAPS, type Boosted, type Forest, type Head, type Matrix, type Scaler, type Windows, type WindowModel,
} from '@millwright/learning';
import { loadPackage, writePackage, type UnsignedManifest } from '@millwright/models';
import { UsageError } from '../usage-error.js';
import type { Curve, Trained } from './curve.js';
import { judgePackage } from './judge-package.js';
import { BATCH, COVERAGE, rowsOf, type Prepared } from './prepare.js';
import type { Task } from './runs.js';

/** Models that are trained here. */
export const WINDOW_MODELS = ['rocket', 'gbdt', 'forest', 'mahalanobis'] as const;
export type WindowModelName = (typeof WINDOW_MODELS)[number];

/** Which of them does what. */
export const WINDOW_MODELS_BY_TASK: Readonly<Record<Task, readonly WindowModelName[]>> = {
  diagnosis: ['rocket', 'gbdt', 'forest'],
  rul: ['rocket', 'gbdt'],
  quality: ['rocket', 'gbdt'],
  anomaly: ['mahalanobis'],
};

/** Limit of scaled values, in standard deviations. */
const CLIP = 20;
const ROCKET_FEATURES = 2016;
const PENALTIES = [1, 10, 100, 1000, 10_000, 100_000];
const BOOSTING = { rounds: 150, learningRate: 0.1, leaves: 8, leafRows: 10, l2: 3, rowShare: 0.7, columnShare: 0.2, bins: 64 };
const REGRESSION = { rounds: 400, learningRate: 0.04, leaves: 15, leafRows: 40, l2: 10, rowShare: 0.7, columnShare: 0.3, bins: 64 };
const FOREST = { trees: 200, leafRows: 3 };
/** Shares of the correlations of normal operation that are not believed; validation chooses. */
const SHRINKAGES = [0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1];
/** Share of validation whose most probable label may be below the threshold for what is known. */
const UNKNOWN_SHARE = 0.02;
/** Share of normal windows of validation that lie beyond the limit. */
const BEYOND = 0.01;
/** Windows that each package must say the same of as its learner, and how nearly. */
const CHECKED = 100;
const TOLERANCE = 1e-4;

/** Scaled windows and truths of a part. */
interface Part {
  readonly scaled: Float32Array;
  readonly windows: Windows;
  readonly truths: Float32Array;
}

interface Fitted {
  readonly model: WindowModel;
  readonly note: string;
  readonly curve?: Curve;
}

/**
 * Trains a model of windows, writes its package, and checks that the package says on windows of validation what the learner says.
 * @throws UsageError where the model can't do the task
 */
export async function trainWindowModel(name: WindowModelName, data: Prepared, about: { readonly name: string; readonly version: string }, out: string, say: (line: string) => void): Promise<Trained> {
  const started = performance.now();
  const train = takeWindows(data.windows, rowsOf(data, 0));
  // In deviations of normal operation, where there is such: the spread of the wildest fault would make all else small.
  const normal = rowsOf(data, 0).filter((row) => data.task === 'diagnosis' && data.truths[row] === 0);
  const scaler = fitScaler(normal.length > 0 ? takeWindows(data.windows, normal) : train, CLIP);
  const part = (index: number): Part => {
    const rows = rowsOf(data, index);
    const windows = takeWindows(data.windows, rows);
    return { windows, scaled: scaleWindows(windows, scaler), truths: Float32Array.from(rows, (row) => data.truths[row]!) };
  };
  const [training, validation] = [part(0), part(1)];
  const { model, note, curve } = fit(name, data, training, validation, say);
  const { head, manifest } = headOf(data, model, training, validation);
  const seconds = (performance.now() - started) / 1000;
  const { impute, mean, std, clip } = scaler;
  const { source, windows, command } = data;
  const common = {
    format: 'millwright-model/1' as const,
    name: about.name,
    version: about.version,
    description: `${name} of ${source.name}, windows of ${windows.history}`,
    kinds: [...source.kinds],
    input: { name: 'features', features: [...source.features], history: windows.history },
    batch: BATCH,
    preprocessing: { impute: [...impute], mean: [...mean], std: [...std], clip },
    training: { data: source.description, dataSha256: source.sha256, command, metrics: {} },
  };
  await writePackage(out, manifest(common), exportWindowModel({ scaler, history: windows.history, batch: BATCH, model, head }));
  await check(out, model, head, scaler, validation.windows);
  return { seconds, note, ...(curve === undefined ? {} : { curve }) };
}

function fit(name: WindowModelName, data: Prepared, training: Part, validation: Part, say: (line: string) => void): Fitted {
  const { task, source, seed } = data;
  const allowed = WINDOW_MODELS_BY_TASK[task];
  if (!allowed.includes(name)) throw new UsageError(`Model ${name} does not do ${task}: give ${allowed.join(' or ')}, or a network.`);
  const { history } = data.windows;
  if (name === 'rocket' && history < TAPS) throw new UsageError(`Model rocket needs windows of ${TAPS} rows at least, and --history is ${history}: give a longer one, or another model.`);
  const classes = task === 'diagnosis' ? source.labels.length : 0;
  switch (name) {
    case 'rocket':
      return fitRocket(training, validation, classes, seed, say);
    case 'gbdt':
      return fitBoosted(training, validation, classes, seed, say);
    case 'forest':
      return fitForest(training, validation, classes, seed);
    case 'mahalanobis':
      return fitNormal(training, validation);
  }
}

function fitRocket(training: Part, validation: Part, classes: number, seed: number, say: (line: string) => void): Fitted {
  const { rows, history, features } = training.windows;
  const rocket = fitMiniRocket(training.scaled, rows, history, features.length, { features: ROCKET_FEATURES, seed });
  const targets = classes === 0 ? Float64Array.from(training.truths) : Float64Array.from({ length: rows * classes }, (_, i) => (training.truths[Math.floor(i / classes)] === i % classes ? 1 : -1));
  const asked = transformMiniRocket(rocket, validation.scaled, validation.windows.rows);
  const points: { at: number; validation: number }[] = [];
  let best: { loss: number; penalty: number; linear: Parameters<typeof predictOutputs>[0] } | undefined;
  let index = 0;
  for (const linear of fitRidgePath(transformMiniRocket(rocket, training.scaled, rows), targets, PENALTIES)) {
    const penalty = PENALTIES[index++]!;
    const loss = lossOf(predictOutputs(linear, asked), validation.truths, classes);
    points.push({ at: penalty, validation: loss });
    say(`rocket: penalty ${penalty}, ${measureOf(classes)} ${loss.toFixed(4)} on validation`);
    if (best === undefined || loss < best.loss) best = { loss, penalty, linear };
  }
  return { model: { kind: 'rocket', rocket, linear: best!.linear }, note: `${rocket.features} features, penalty ${best!.penalty}`, curve: { step: 'penalty', measure: measureOf(classes), points } };
}

/** Rounds up to the one after which validation has the least loss. */
function fitBoosted(training: Part, validation: Part, classes: number, seed: number, say: (line: string) => void): Fitted {
  const settings = classes === 0 ? { ...REGRESSION, objective: { kind: 'squared' } as const } : { ...BOOSTING, objective: { kind: 'softmax', classes } as const };
  const whole = trainBoosting(summaryOf(training), training.truths, { ...settings, seed, onRound: (round) => void (round % ROUNDS_A_LINE === 0 && say(`gbdt: round ${round} of ${settings.rounds}`)) });
  const upTo = (rounds: number): Boosted => ({ ...whole, trees: whole.trees.slice(0, rounds * whole.outputs) });
  const points = Array.from({ length: settings.rounds / ROUNDS_A_POINT }, (_, i) => {
    const at = (i + 1) * ROUNDS_A_POINT;
    const loss = (part: Part): number => lossOf(scoresOf({ kind: 'boosted', boosted: upTo(at) }, part.scaled, part.windows), part.truths, classes);
    return { at, validation: loss(validation) };
  });
  const best = points.reduce((least, point) => (point.validation < least.validation ? point : least));
  return { model: { kind: 'boosted', boosted: upTo(best.at) }, note: `${best.at} rounds`, curve: { step: 'round', measure: measureOf(classes), points } };
}

const ROUNDS_A_POINT = 10;
const ROUNDS_A_LINE = 50;

function fitForest(training: Part, validation: Part, classes: number, seed: number): Fitted {
  const inputs = summaryOf(training);
  const counts = new Float64Array(classes);
  for (const each of training.truths) counts[each]!++;
  // As many as there are: probabilities are to be those of the data.
  const forest = trainForest(inputs, Int32Array.from(training.truths), { ...FOREST, classes, columns: Math.ceil(Math.sqrt(inputs.columns)), seed, classWeights: counts });
  const points = [1, 2, 5, 10, 20, 50, 100, 200].map((at) => {
    const fewer: Forest = { classes, trees: forest.trees.slice(0, at) };
    return { at, validation: lossOf(scoresOf({ kind: 'forest', forest: fewer }, validation.scaled, validation.windows), validation.truths, classes) };
  });
  return { model: { kind: 'forest', forest }, note: `${forest.trees.length} trees`, curve: { step: 'trees', measure: measureOf(classes), points } };
}

/** The shrinkage under which validation is most likely, were it Gaussian. */
function fitNormal(training: Part, validation: Part): Fitted {
  const [inputs, asked] = [summaryOf(training), summaryOf(validation)];
  const points = SHRINKAGES.map((at) => {
    const mahalanobis = fitMahalanobis(inputs, at);
    const squares = distances(mahalanobis, asked).reduce((sum, each) => sum + each * each, 0) / asked.rows;
    return { at, mahalanobis, validation: (mahalanobis.spread + squares) / 2 };
  });
  const { at, mahalanobis } = points.reduce((least, point) => (point.validation < least.validation ? point : least));
  const curve = { step: 'shrinkage', measure: 'nats a column', points: points.map((point) => ({ at: point.at, validation: point.validation })) };
  return { model: { kind: 'mahalanobis', mahalanobis }, note: `${training.truths.length} normal windows, shrinkage ${at}`, curve };
}

const summaryOf = ({ scaled, windows }: Part): Matrix => summarise(scaled, windows.rows, windows.history, windows.features.length);

const measureOf = (classes: number): string => (classes === 0 ? 'root mean square error' : 'cross-entropy once calibrated');

/** Of scores: cross-entropy at the best temperature; of values, without classes: root mean square error. */
function lossOf(said: Float64Array, truths: Float32Array, classes: number): number {
  if (classes === 0) return Math.sqrt(said.reduce((sum, value, row) => sum + (value - truths[row]!) ** 2, 0) / said.length);
  const scores = Float32Array.from(said);
  const temperature = fitTemperature(scores, Int32Array.from(truths), classes);
  const probabilities = softmax(scores.map((score) => score / temperature), classes);
  return truths.reduce((sum, truth, row) => sum - Math.log(Math.max(1e-12, probabilities[row * classes + truth]!)), 0) / truths.length;
}

type Common = Pick<UnsignedManifest, 'format' | 'name' | 'version' | 'description' | 'kinds' | 'input' | 'batch' | 'preprocessing' | 'training'>;

/** Calibrates on validation: temperature, interval, or limit. */
function headOf({ task, source }: Prepared, model: WindowModel, training: Part, validation: Part): { head: Head; manifest: (common: Common) => UnsignedManifest } {
  const said = scoresOf(model, validation.scaled, validation.windows);
  switch (task) {
    case 'diagnosis': {
      const classes = source.labels.length;
      const temperature = fitTemperature(Float32Array.from(said), Int32Array.from(validation.truths), classes);
      const probabilities = softmax(Float32Array.from(said, (score) => score / temperature), classes);
      const confidences = Float64Array.from({ length: validation.windows.rows }, (_, row) => probabilities.subarray(row * classes, (row + 1) * classes).reduce((a, b) => Math.max(a, b)));
      const threshold = Math.min(1, -quantile(confidences.map((each) => -each), 1 - UNKNOWN_SHARE));
      return {
        head: { kind: 'probabilities', temperature, classes },
        manifest: (common) => ({ ...common, task, labels: [...source.labels], normal: source.normal, unknown: { threshold }, outputs: { probabilities: 'probabilities' } }),
      };
    }
    case 'anomaly': {
      const limit = quantile(said, 1 - BEYOND);
      return { head: { kind: 'score' }, manifest: (common) => ({ ...common, task, limit, outputs: { score: 'score' } }) };
    }
    default: {
      // A line goes on beyond what was ever seen; what is said does not.
      const [least, greatest] = [training.truths.reduce((a, b) => Math.min(a, b)), training.truths.reduce((a, b) => Math.max(a, b))];
      const halfWidth = quantile(said.map((value, row) => Math.abs(Math.min(greatest, Math.max(least, value)) - validation.truths[row]!)), COVERAGE);
      return {
        head: { kind: 'interval', halfWidth, least, greatest },
        manifest: (common) => ({ ...common, task: 'regression', quantity: source.quantity, unit: source.unit, coverage: COVERAGE, outputs: { value: 'value', lower: 'lower', upper: 'upper' } }),
      };
    }
  }
}

/** The value that a share of new ones exceed no more often than the rest of these: split conformal prediction (Papadopoulos et al. 2002). */
function quantile(values: Float64Array, share: number): number {
  const sorted = values.slice().sort();
  return sorted[Math.min(sorted.length, Math.ceil(share * (sorted.length + 1))) - 1]!;
}

/** @throws Error where the graph and the learner disagree: a mistake of the exporter */
async function check(out: string, model: WindowModel, head: Head, scaler: Scaler, windows: Windows): Promise<void> {
  const step = Math.max(1, Math.floor(windows.rows / CHECKED));
  const asked = takeWindows(windows, Array.from({ length: Math.min(CHECKED, windows.rows) }, (_, i) => i * step));
  const said = predictWindows(model, head, scaler, asked);
  const { outputs } = await judgePackage(await loadPackage(out), asked);
  for (const [name, values] of Object.entries(said)) {
    const scale = Math.max(1, ...values.map(Math.abs));
    const difference = Math.max(...values.map((value, i) => Math.abs(value - outputs[name]![i]!))) / scale;
    if (!(difference <= TOLERANCE)) throw new Error(`${out}/model.onnx: output ${name} differs by ${difference} from what was trained; the exporter is wrong`);
  }
}
