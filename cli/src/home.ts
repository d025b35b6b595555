import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadPlant, type Plant } from '@millwright/plant';
import { choosePlant } from '@millwright/replay';
import { UsageError } from './usage-error.js';

/** Folder of the checkout. */
export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Folder for what runs leave behind: `MILLWRIGHT_HOME`, or .millwright in the checkout. */
const home = (): string => resolve(process.env['MILLWRIGHT_HOME'] ?? join(ROOT, '.millwright'));

/** Folder of registered model packages, unless MILLWRIGHT_REGISTRY says otherwise; made when the first is registered. */
export const standardRegistry = (): string => join(home(), 'registry');

/**
 * A folder in it, made where it is not there yet.
 * @throws UsageError where it can't be made
 */
export function homeFolder(name: string): string {
  const folder = join(home(), name);
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new UsageError(`The folder ${folder} can't be made (${(error as Error).message}): set MILLWRIGHT_HOME to a folder that may be written to.`);
  }
  return folder;
}

const shippedPlants = (): string[] => readdirSync(join(ROOT, 'plants')).filter((name) => existsSync(join(ROOT, 'plants', name, 'plant.yaml')));

const shippedPath = (name: string): string => join(ROOT, 'plants', name, 'plant.yaml');

/** Path of a plant file: a path, a folder with a plant.yaml, or the name of a shipped plant. */
export function plantPath(given: string): string {
  if (existsSync(join(given, 'plant.yaml'))) return resolve(given, 'plant.yaml');
  if (existsSync(given)) return resolve(given);
  if (shippedPlants().includes(given)) return shippedPath(given);
  throw new UsageError(`There is no plant file ${given}: give the path of a plant.yaml, or one of the shipped plants (${shippedPlants().join(', ')}).`);
}

/** The plant that is meant: the one named, the shipped one whose signals the file holds, or the simulated demo plant. */
export async function findPlant(given: string | undefined, replayFile: string | undefined): Promise<{ plant: Plant; path: string }> {
  if (given !== undefined) {
    const path = plantPath(given);
    return { plant: loadPlant(path), path };
  }
  if (replayFile === undefined) return { plant: loadPlant(shippedPath('demo')), path: shippedPath('demo') };
  const plants = shippedPlants().map((name) => ({ plant: loadPlant(shippedPath(name)), path: shippedPath(name) }));
  const chosen = await choosePlant(replayFile, plants.map(({ plant }) => plant));
  return plants.find(({ plant }) => plant === chosen)!;
}
