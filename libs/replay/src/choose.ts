import type { Plant } from '@millwright/plant';
import { ReplayError } from './error.js';
import { openTable, withGz } from './replay.js';

/**
 * The plant whose signals a file holds: by the names in its header, or by the number of its columns where it has none.
 * @throws ReplayError where none or several fit.
 */
export async function choosePlant(path: string, plants: readonly Plant[]): Promise<Plant> {
  const file = withGz(path);
  const widths = [...new Set(plants.flatMap(({ replay }) => (replay ? [replay.columns.length] : [])))];
  const { header, width, close } = await openTable(file, widths);
  await close();
  const scores = plants.map((plant) => (header ? matches(header, plant) : Number(plant.replay?.columns.length === width)));
  const best = Math.max(0, ...scores);
  const fitting = plants.filter((_, i) => scores[i] === best);
  if (best > 0 && fitting.length === 1) return fitting[0]!;
  const seen = header ? `the columns ${header.slice(0, 8).join(', ')}${header.length > 8 ? ', …' : ''}` : `${width} columns without header`;
  const names = (best > 0 ? fitting : plants).map(({ name }) => name).join(', ');
  throw new ReplayError(file, `has ${seen}, which ${best > 0 ? `fit several plants (${names})` : `fit none of the plants ${names}`}; name the plant file`);
}

/** How many of the names are signals of the plant. */
function matches(header: readonly string[], plant: Plant): number {
  const signals = new Set([...plant.kinds.values()].flatMap((kind) => kind.signals.map(({ name }) => name)));
  return header.filter((name) => signals.has(name)).length;
}
