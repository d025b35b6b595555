import { createHash } from 'node:crypto';
import type { DataFolder } from '../evaluation/data-folder.js';
import type { LabelledRuns, Run } from './runs.js';

/** Remaining life above which an engine just counts as healthy, cycles (Heimes 2008, PHM). */
const CAP = 125;
/** Columns before the settings: engine and cycle. */
const LEADING = 2;
const SETTINGS = 3;
const SENSORS = 21;
/** The shortest test engine of FD002 ran for 21 cycles. */
const HISTORY = 20;

/** NASA's turbofan engines: each a run; of a test engine only the last cycle is judged. @param set "FD001" to "FD004" */
export async function readCmapssRuns(folder: DataFolder, set: string): Promise<LabelledRuns> {
  const hash = createHash('sha256');
  const lives = (await folder.numbers(`RUL_${set}.txt`)).map(([life]) => life!);
  const runs: Run[] = [];
  for (const part of ['train', 'test'] as const) {
    const file = `${part}_${set}.txt`;
    hash.update(await folder.bytes(file));
    const engines = Map.groupBy(await folder.numbers(file), ([engine]) => engine!);
    for (const [engine, cycles] of engines) {
      const rows = cycles.map((row) => row.slice(LEADING));
      const truths = Float64Array.from(rows, (_, cycle) => {
        if (part === 'train') return Math.min(CAP, rows.length - 1 - cycle);
        return cycle === rows.length - 1 ? Math.min(CAP, lives[engine - 1]!) : NaN;
      });
      runs.push({ name: `${part} ${engine}`, asset: `${part} ${engine}`, steps: rows.length, values: Float32Array.from(rows.flat()), truths, part });
    }
  }
  return {
    name: `cmapss-${set.toLowerCase()}`,
    description: `NASA C-MAPSS ${set}: engines run until they fail; remaining cycles, ${CAP} at most`,
    kinds: ['turbofan'],
    features: [...Array.from({ length: SETTINGS }, (_, i) => `setting${i + 1}.mean`), ...Array.from({ length: SENSORS }, (_, i) => `sensor${i + 1}.mean`)],
    labels: [],
    normal: '',
    quantity: 'remaining life',
    unit: 'cycles',
    runs,
    sha256: hash.digest('hex'),
    defaults: { history: HISTORY, split: 'run' },
  };
}
