import { Worker } from 'node:worker_threads';
import { join } from 'node:path';
import type { Case, Stage, Verdict } from '../case.js';
import type { Told } from '../fuzz/worker.js';

/** A reader that is busy with less than a second's worth of input for longer hangs. */
const HANG_MS = 15_000;
const START_MS = 120_000;
const HEAP_MB = 512;
/** How much the whole process may take more than at the start: heap, and what lies beside it. */
const MOST_GROWTH_BYTES = 1.5e9;

export const fuzz: Case = {
  name: 'fuzz',
  claim: 'Whatever bytes a decoder reads, it returns a value or one sentence: it never crashes, hangs or fills the memory.',
  async run({ seconds, seed, progress }: Stage): Promise<Verdict> {
    const failures: string[] = [];
    const skip: string[] = [];
    let inputs = 0;
    // A thread that dies of one target goes on with the others in a new one.
    for (let left: readonly string[] | undefined; left === undefined || left.length > 0; ) {
      const told = await oneThread({ seed, seconds, skip, progress });
      inputs += told.inputs;
      failures.push(...told.failures);
      skip.push(...told.done);
      left = told.names.filter((name) => !skip.includes(name));
    }
    progress(`${inputs} inputs read`);
    return { killed: 0, lost: 0, duplicated: 0, identical: failures.length === 0, failures };
  },
};

interface Heard {
  readonly names: readonly string[];
  /** Targets that are done with, for better or worse. */
  readonly done: readonly string[];
  readonly inputs: number;
  readonly failures: readonly string[];
}

function oneThread({ seed, seconds, skip, progress }: { seed: number; seconds: number; skip: readonly string[]; progress(line: string): void }): Promise<Heard> {
  return new Promise((resolve) => {
    const worker = new Worker(join(import.meta.dirname, '../fuzz/worker.js'), { workerData: { seed, seconds, skip }, resourceLimits: { maxOldGenerationSizeMb: HEAP_MB } });
    const before = process.memoryUsage.rss();
    const failures: string[] = [];
    const done: string[] = [];
    let names: readonly string[] = [];
    let inputs = 0;
    let at: { target: string; input: number } | undefined;
    let heardMs = performance.now();
    let reason = '';
    const end = (why: string): void => {
      reason ||= why;
      void worker.terminate();
    };
    const watch = setInterval(() => {
      const patienceMs = at === undefined ? START_MS : HANG_MS;
      if (performance.now() - heardMs > patienceMs) end(`hangs for ${patienceMs / 1000} s`);
      const grown = process.memoryUsage.rss() - before;
      if (grown > MOST_GROWTH_BYTES) end(`takes ${Math.round(grown / 1e6)} MB`);
    }, 200);
    worker.on('message', (told: Told) => {
      heardMs = performance.now();
      if (told.kind === 'ready') names = told.names;
      else if (told.kind === 'reading') at = told;
      else {
        done.push(told.target);
        inputs += told.inputs;
        if (told.failure !== undefined) failures.push(told.failure);
        progress(`${told.target}: ${told.inputs} inputs, ${told.taken} of them taken${told.failure === undefined ? '' : ', then one that is refused as it should not be'}`);
      }
    });
    worker.on('error', (error) => (reason ||= `dies of ${error.message}`));
    worker.on('exit', () => {
      clearInterval(watch);
      if (reason !== '') {
        failures.push(at === undefined ? `the decoders could not be made ready: ${reason}` : `${at.target} ${reason}, at input ${at.input} of seed ${seed} or soon after`);
        if (at === undefined) names = [];
        else done.push(at.target);
      }
      resolve({ names, done, inputs, failures });
    });
  });
}
