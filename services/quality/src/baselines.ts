import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Plant } from '@millwright/plant';
import { BaselineError, parseMonitorBaseline, type MonitorBaseline } from '@millwright/quality';

/** File of a baseline of the plant. */
export function baselineFile(plant: Plant, name: string): string {
  return join(plant.directory, 'baselines', `${name}.json`);
}

/**
 * Reads the baselines that the plant's kinds name, by their names.
 * @throws BaselineError when one can't be read or is of another kind
 */
export async function loadBaselines(plant: Plant): Promise<Map<string, MonitorBaseline>> {
  const baselines = new Map<string, MonitorBaseline>();
  for (const kind of plant.kinds.values()) {
    if (kind.monitor === undefined) continue;
    const file = baselineFile(plant, kind.monitor.baseline);
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      throw new BaselineError(`${file}: can't be read (${(error as Error).message}): make it with \`millwright quality baseline\`, or take monitor out of kind ${kind.name} in the plant file`);
    });
    const baseline = parseMonitorBaseline(text, file);
    if (baseline.kind !== kind.name) {
      throw new BaselineError(`${file}: kind: is ${baseline.kind}, not ${kind.name}, which names it in the plant file: name another baseline there`);
    }
    baselines.set(kind.monitor.baseline, baseline);
  }
  return baselines;
}
