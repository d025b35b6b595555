import { FeatureExtractor } from '@millwright/signal';
import { ModelPackageError } from '@millwright/models';
import { suggestion, type AssetKind, type Plant } from '@millwright/plant';
import { join } from 'node:path';
import type { Version } from './version.js';

/** One version of a model as it judges one asset kind. */
export interface Judge {
  readonly version: Version;
  /** Whose history it is: model, and windows that it was trained to see. Another model, or other windows, begin with none. */
  readonly id: string;
  /** Where the model's features are in the kind's feature vectors. */
  readonly columns: Int32Array;
  /** Signals that each feature is made of: one, or two for a correlation. */
  readonly signalsOf: readonly (readonly string[])[];
  /** Windows to keep: the model's history, and as many as may still be amended. */
  readonly keep: number;
}

/** All that judges one asset kind. */
export interface Bench {
  readonly kind: AssetKind;
  readonly layout: string;
  /** Features of a vector, in order. */
  readonly names: readonly string[];
  /** By the packages beside the plant file. */
  readonly judges: readonly Judge[];
}

/**
 * Matches models to the plant's asset kinds, by kind name. Kinds without models are left out.
 * @throws ModelPackageError where a model is missing, judges other kinds, or wants a feature that the kind does not have
 */
export function benches(plant: Plant, packages: readonly Version[]): ReadonlyMap<string, Bench> {
  const byName = new Map(packages.map((each) => [each.model.manifest.name, each]));
  const result = new Map<string, Bench>();
  for (const kind of plant.kinds.values()) {
    if (kind.models.length === 0) continue;
    const { names, layout } = new FeatureExtractor(kind);
    const judges = kind.models.map((name) => {
      const version = byName.get(name);
      if (version === undefined) {
        throw new ModelPackageError(packageDirectory(plant, name), undefined, `kind ${kind.name} of the plant file is judged by it, and it was not loaded`, 'add the package, or take it out of the plant file');
      }
      return judgeOf({ kind, names }, version);
    });
    result.set(kind.name, { kind, layout, names, judges });
  }
  return result;
}

/** Folder of the plant's packages. */
export function modelsDirectory(plant: Plant): string {
  return join(plant.directory, 'models');
}

export function packageDirectory(plant: Plant, model: string): string {
  return join(modelsDirectory(plant), model);
}

/**
 * Fits a version to an asset kind.
 * @throws ModelPackageError where it judges other kinds, or wants a feature that the kind does not have
 */
export function judgeOf({ kind, names }: Pick<Bench, 'kind' | 'names'>, version: Version): Judge {
  const { manifest, directory } = version.model;
  const file = join(directory, 'manifest.json');
  if (!manifest.kinds.includes(kind.name)) {
    throw new ModelPackageError(file, 'kinds', `the model judges ${manifest.kinds.join(', ')}, and the plant file has it judge ${kind.name}`, `train one for ${kind.name}, or take it out of kinds.${kind.name}.models of the plant file`);
  }
  const columns = manifest.input.features.map((feature, index) => {
    const column = names.indexOf(feature);
    if (column < 0) {
      throw new ModelPackageError(file, `input.features.${index}`, `kind ${kind.name} has no feature ${feature} (${suggestion(feature, names)})`, 'add its signal to the plant file, or train the model anew on the features that there are');
    }
    return column;
  });
  const { lengthUs, graceUs, hopUs } = kind.window;
  return {
    version,
    id: `${manifest.name}@${manifest.version} ${manifest.sha256.slice(0, 12)} ${lengthUs}/${hopUs}`,
    columns: Int32Array.from(columns),
    signalsOf: manifest.input.features.map((feature) => feature.slice(0, feature.indexOf('.')).split('~')),
    keep: manifest.input.history + Math.ceil(graceUs / hopUs) + 1,
  };
}
