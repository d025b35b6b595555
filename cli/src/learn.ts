import { join } from 'node:path';
import { loadPlant } from '@millwright/plant';
import { makeBaseline } from './baseline.js';
import { plantPath } from './home.js';
import { TEP_MODEL } from './training/tennessee-eastman.js';
import { trainDemo, trainDiagnosis } from './train.js';
import { UsageError } from './usage-error.js';

export interface TrainOptions {
  readonly plant?: string;
  readonly data?: string;
  readonly out?: string;
  readonly seed: number;
}

/** `millwright train`: the models of a plant, from a folder of data, or from simulated machines where the plant is simulated. */
export async function train({ plant: given, data, out, seed }: TrainOptions): Promise<number> {
  if (given === undefined) throw new UsageError('Give --plant for the models of a plant, or --task and --data to train and compare models on labelled data.');
  const plant = loadPlant(plantPath(given));
  const models = out ?? join(plant.directory, 'models');
  if (plant.simulation !== undefined) {
    for (const [name, figures] of Object.entries(await trainDemo({ plant, out: models, seed }))) print(join(models, name), figures);
    return 0;
  }
  if (data === undefined) throw new UsageError(`Plant ${plant.name} is not simulated: give the folder of its training data with --data.`);
  const folder = join(models, TEP_MODEL);
  print(folder, await trainDiagnosis({ plant, data, out: folder, seed }));
  return 0;
}

function print(what: string, figures: Readonly<Record<string, number>>): void {
  process.stdout.write(`${what}\n${Object.entries(figures).map(([name, value]) => `  ${name}: ${value}\n`).join('')}`);
}

export interface BaselineOptions {
  readonly plant: string;
  readonly kind: string;
  readonly alpha?: number;
}

/** `millwright quality baseline`: limits of the multivariate monitor of a kind, from data of normal operation. */
export async function baseline({ plant: given, kind, alpha }: BaselineOptions, data: readonly string[]): Promise<number> {
  const plant = loadPlant(plantPath(given));
  const made = await makeBaseline({ plant, kind, data, ...(alpha === undefined ? {} : { alpha }) });
  process.stdout.write(`${made.file}\n`);
  return 0;
}
