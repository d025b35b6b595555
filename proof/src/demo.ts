import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadPlant, parsePlant, type Plant } from '@millwright/plant';

/** Folder of the demo plant. */
export const demoFolder = join(import.meta.dirname, '../../plants/demo');
const path = join(demoFolder, 'plant.yaml');

/** The demo plant, with its models and baselines. */
export const demoPlant = (): Plant => loadPlant(path);

/** The demo plant with its plant file changed: each `[from, to]` must be found. */
export function changedDemoPlant(...changes: readonly (readonly [from: string, to: string])[]): Plant {
  let text = readFileSync(path, 'utf8');
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`the demo plant has no "${from}" to be changed`);
    text = text.replace(from, to);
  }
  return parsePlant(text, path);
}
