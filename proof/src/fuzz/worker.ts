import { parentPort, workerData } from 'node:worker_threads';
import { mutated, wholeNumbers } from './mutate.js';
import { targets } from './targets.js';

/** What the thread tells of one target. */
export type Told =
  | { readonly kind: 'ready'; readonly names: readonly string[] }
  /** About to read the inputs from this number on. */
  | { readonly kind: 'reading'; readonly target: string; readonly input: number }
  | { readonly kind: 'done'; readonly target: string; readonly inputs: number; readonly taken: number; readonly failure?: string };

/** Between two signs of life, unless an input takes longer. */
const SIGN_OF_LIFE_MS = 250;

const { seed, seconds, skip } = workerData as { seed: number; seconds: number; skip: readonly string[] };
const tell = (told: Told): void => parentPort!.postMessage(told);

const all = await targets();
tell({ kind: 'ready', names: all.map(({ name }) => name) });
for (const [index, target] of all.entries()) {
  if (skip.includes(target.name)) continue;
  let taken = 0;
  let input = 0;
  let failure: string | undefined;
  let toldMs = -Infinity;
  for (const end = performance.now() + (seconds * 1000) / all.length; performance.now() < end && failure === undefined; input++) {
    if (performance.now() - toldMs > SIGN_OF_LIFE_MS) {
      tell({ kind: 'reading', target: target.name, input });
      toldMs = performance.now();
    }
    // Each input can be made again from its number alone.
    const random = wholeNumbers(seed + 1_000_003 * index + input);
    try {
      if (await target.read(mutated(target.seeds, random), random)) taken++;
    } catch (error) {
      if (!target.isRefusal(error as Error)) failure = `${target.name}, input ${input} of seed ${seed}: ${(error as Error).name}: ${(error as Error).message.slice(0, 300)}`;
    }
  }
  tell({ kind: 'done', target: target.name, inputs: input, taken, ...(failure === undefined ? {} : { failure }) });
}
