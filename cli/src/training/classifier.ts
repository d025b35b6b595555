import {
  average, cooled, evaluate, exportClassifier, fitScaler, fitTemperature, logits, scale, softmax, subset, trainClassifier,
  type Dataset, type Evaluation, type Examples, type Network, type Scaler, type Split, type TrainingOptions,
} from '@millwright/learning';
import { writePackage, type DiagnosisManifest } from '@millwright/models';
import type { Filter } from './fit-filter.js';
import { blocksOf, modelProfile, saidOfHealth, type ManifestProfile } from './profile.js';

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
 * for the model that ships. `evaluation` is of the first, so of rows that it never saw, and so are `probabilities`, what it says of each row of
 * validation once it is calibrated: [rows, classes].
 */
export function fitClassifier(data: Dataset, { train, validation }: Split, normal: string, settings: ClassifierSettings): { classifier: Classifier; evaluation: Evaluation; probabilities: Float64Array } {
  const measured = trained(train, normal, settings);
  const scores = logits(measured.network, scale(validation, measured.scaler), validation.rows);
  const classes = data.labels.length;
  const temperature = fitTemperature(scores, validation.classes, classes);
  const { network, scaler } = trained(data, normal, settings);
  return {
    classifier: { network: cooled(network, temperature), scaler },
    evaluation: evaluate(scores, validation.classes, classes),
    probabilities: softmax(scores.map((score) => score / temperature), classes),
  };
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
  readonly filter?: Filter;
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
      ...(about.filter === undefined ? {} : { filter: about.filter }),
      input: { name: 'features', features: [...data.features], history: 1 },
      outputs: { probabilities: 'probabilities', contributions: 'contributions' },
      batch: BATCH,
      preprocessing: { impute: [...impute], mean: [...mean], std: [...std], clip },
      profile: profileOfClassifier(data, classifier, about.normal),
      training: about.training,
    },
    exportClassifier(network, scaler, BATCH),
  );
}

/** What drift is measured from: the inputs of all rows, and what the model says where it finds nothing wrong. */
function profileOfClassifier(data: Dataset, { network, scaler }: Classifier, normal: string): ManifestProfile {
  const { rows, runs, classes } = data;
  const labels = data.labels.length;
  const blocks = blocksOf(rows, runs, classes);
  const probabilities = softmax(logits(network, scale(data, scaler), rows), labels);
  return modelProfile('diagnosis', { inputs: Float32Array.from(data.values), features: data.features.length, blocks, said: saidOfHealth(probabilities, labels, data.labels.indexOf(normal), blocks) });
}

export const rounded = (value: number): number => Math.round(value * 1e4) / 1e4;
