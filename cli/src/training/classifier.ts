import {
  average, cooled, evaluate, exportClassifier, fitScaler, fitTemperature, logits, scale, subset, trainClassifier,
  type Dataset, type Evaluation, type Examples, type Network, type Scaler, type Split, type TrainingOptions,
} from '@millwright/learning';
import { writePackage, type DiagnosisManifest } from '@millwright/models';
import { profileOf } from '@millwright/quality';

/** How a diagnosis model is trained. */
export interface ClassifierSettings {
  readonly seed: number;
  /** Networks, each from a seed of its own, whose scores are averaged. */
  readonly networks: number;
  readonly training: Omit<TrainingOptions, 'classes' | 'seed'>;
  /** Limit of scaled values: deviations from normal operation, in its standard deviations. */
  readonly clip: number;
}

/** A trained classifier with its preprocessing. */
export interface Classifier {
  readonly network: Network;
  readonly scaler: Scaler;
}

/** Rows of a run. Every window is judged in a batch of this many. */
const BATCH = 32;

/**
 * Trains on one part of the data, measures and calibrates on the other, then trains on all of it with the same settings
 * for the model that ships. `evaluation` is of the first, so of rows that it never saw.
 */
export function fitClassifier(data: Dataset, { train, validation }: Split, normal: string, settings: ClassifierSettings): { classifier: Classifier; evaluation: Evaluation } {
  const measured = trained(train, normal, settings);
  const scores = logits(measured.network, scale(validation, measured.scaler), validation.rows);
  const classes = data.labels.length;
  const temperature = fitTemperature(scores, validation.classes, classes);
  const { network, scaler } = trained(data, normal, settings);
  return { classifier: { network: cooled(network, temperature), scaler }, evaluation: evaluate(scores, validation.classes, classes) };
}

function trained(data: Dataset, normal: string, { seed, networks, training, clip }: ClassifierSettings): Classifier {
  const healthy = data.labels.indexOf(normal);
  const scaler = fitScaler(subset(data, [...data.classes.keys()].filter((row) => data.classes[row] === healthy)), clip);
  const examples: Examples = { inputs: scale(data, scaler), classes: data.classes, rows: data.rows };
  const members = Array.from({ length: networks }, (_, n) => trainClassifier(examples, examples, { ...training, classes: data.labels.length, seed: seed * 1000 + n }).network);
  return { network: average(members), scaler };
}

export interface PackageDescription {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly kinds: readonly string[];
  readonly normal: string;
  readonly training: DiagnosisManifest['training'];
}

/** Writes the classifier as a model package. */
export async function writeClassifier(directory: string, data: Dataset, classifier: Classifier, about: PackageDescription): Promise<void> {
  const { network, scaler } = classifier;
  const { impute, mean, std, clip } = scaler;
  await writePackage(
    directory,
    {
      format: 'millwright-model/1',
      name: about.name,
      version: about.version,
      description: about.description,
      task: 'diagnosis',
      kinds: [...about.kinds],
      labels: [...data.labels],
      normal: about.normal,
      input: { name: 'features', features: [...data.features], history: 1 },
      outputs: { probabilities: 'probabilities', contributions: 'contributions' },
      batch: BATCH,
      preprocessing: { impute: [...impute], mean: [...mean], std: [...std], clip },
      profile: profiles(data, classifier, about.normal),
      training: about.training,
    },
    exportClassifier(network, scaler, BATCH),
  );
}

/** Windows of one machine that are looked at as one when it is asked what a machine shows by itself. */
const BLOCK_ROWS = 100;
/** Differences of a probability that nobody acts on. */
const PROBABILITY_RESOLUTION = 0.01;

/** What drift is measured from: the inputs of all rows, and what the model says where it finds nothing wrong. */
function profiles(data: Dataset, { network, scaler }: Classifier, normal: string): NonNullable<DiagnosisManifest['profile']> {
  const healthy = data.labels.indexOf(normal);
  const width = data.features.length;
  const column = (feature: number): Float64Array => Float64Array.from({ length: data.rows }, (_, row) => data.values[row * width + feature]!);
  const scores = logits(network, scale(data, scaler), data.rows);
  const classes = data.labels.length;
  const blocks = blocksOf(data);
  const said = [...blocks].flatMap((block, row) => {
    const own = scores.subarray(row * classes, (row + 1) * classes);
    const highest = Math.max(...own);
    return own[healthy] === highest ? [{ block, probability: 1 / own.reduce((sum, score) => sum + Math.exp(score - highest), 0) }] : [];
  });
  const plain = ({ edges, counts, missing, limit }: ReturnType<typeof profileOf>): { edges: number[]; counts: number[]; missing: number; limit: number } => ({ edges: [...edges], counts: [...counts], missing, limit });
  return {
    inputs: data.features.map((_, feature) => plain(profileOf(column(feature), { blocks }))),
    prediction: plain(profileOf(said.map(({ probability }) => probability), { blocks: said.map(({ block }) => block), resolution: PROBABILITY_RESOLUTION })),
  };
}

/** Number of each row's block: rows that follow one another in one run and state, at most BLOCK_ROWS of them. */
function blocksOf({ runs, classes, rows }: Dataset): Int32Array {
  const blocks = new Int32Array(rows);
  let length = 0;
  for (let row = 1; row < rows; row++) {
    const goesOn = runs[row] === runs[row - 1] && classes[row] === classes[row - 1] && length + 1 < BLOCK_ROWS;
    length = goesOn ? length + 1 : 0;
    blocks[row] = blocks[row - 1]! + (goesOn ? 0 : 1);
  }
  return blocks;
}

export const rounded = (value: number): number => Math.round(value * 1e4) / 1e4;
