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

/** Differences of a probability that nobody acts on. */
const PROBABILITY_RESOLUTION = 0.01;

/** What drift is measured from: inputs and outputs of normal operation. */
function profiles(data: Dataset, { network, scaler }: Classifier, normal: string): NonNullable<DiagnosisManifest['profile']> {
  const healthy = data.labels.indexOf(normal);
  const rows = subset(data, [...data.classes.keys()].filter((row) => data.classes[row] === healthy));
  const width = data.features.length;
  const column = (feature: number): Float64Array => Float64Array.from({ length: rows.rows }, (_, row) => rows.values[row * width + feature]!);
  const scores = logits(network, scale(rows, scaler), rows.rows);
  const classes = data.labels.length;
  const probabilities = Float64Array.from({ length: rows.rows }, (_, row) => {
    const own = scores.subarray(row * classes, (row + 1) * classes);
    const highest = Math.max(...own);
    return Math.exp(own[healthy]! - highest) / own.reduce((sum, score) => sum + Math.exp(score - highest), 0);
  });
  const plain = ({ edges, counts, missing }: ReturnType<typeof profileOf>): { edges: number[]; counts: number[]; missing: number } => ({ edges: [...edges], counts: [...counts], missing });
  return { inputs: data.features.map((_, feature) => plain(profileOf(column(feature)))), prediction: plain(profileOf(probabilities, { resolution: PROBABILITY_RESOLUTION })) };
}

export const rounded = (value: number): number => Math.round(value * 1e4) / 1e4;
