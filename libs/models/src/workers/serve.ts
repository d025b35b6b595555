import { parentPort, workerData } from 'node:worker_threads';
import type { Job, JobAnswer, Slot, WorkerAnswer, WorkerModel, WorkerSetup } from './protocol.js';

/** A model that is loaded. */
export interface Session {
  /**
   * Prepares a batch that is run many times.
   * @param input float32 of the input's shape
   * @param outputs float32 [batch, width] each, written by the function that is returned
   */
  bind(input: Float32Array, outputs: readonly Float32Array[]): () => Promise<void>;
}

/** What an engine's workers run models with. */
export interface Runtime {
  /**
   * Loads a model.
   * @throws Error with a sentence for people where it can't be loaded, or the graph is not what the manifest says
   */
  open(model: WorkerModel, device: string): Promise<Session>;
}

interface Loaded {
  readonly model: WorkerModel;
  readonly session: Session;
}

/** A slot with each of its batches bound, once. */
class Work {
  readonly #batches: (() => Promise<void>)[];
  readonly loaded: Loaded;

  constructor(loaded: Loaded, { capacity, memory }: Slot) {
    this.loaded = loaded;
    const { input, outputs, batch } = loaded.model;
    const size = sizeOf(input.shape);
    this.#batches = Array.from({ length: capacity }, (_, at) => {
      let region = capacity * size * 4;
      const written = outputs.map(({ width }) => {
        const output = new Float32Array(memory, region + at * batch * width * 4, batch * width);
        region += capacity * batch * width * 4;
        return output;
      });
      return loaded.session.bind(new Float32Array(memory, at * size * 4, size), written);
    });
  }

  /** Runs the first `batches`; returns the milliseconds. */
  async run(batches: number): Promise<number> {
    const start = performance.now();
    for (let at = 0; at < batches; at++) await this.#batches[at]!();
    return performance.now() - start;
  }
}

/** Loads the models of workerData with the first device that can, runs each once, and answers jobs from then on. */
export async function serve(runtime: Runtime): Promise<void> {
  const port = parentPort!;
  const { models, devices } = workerData as WorkerSetup;
  const answer = (message: WorkerAnswer<JobAnswer>): void => port.postMessage(message);
  try {
    const { loaded, device } = await openFirst(runtime, models, devices);
    const slots = new Map<number, Work>();
    // One after the other, in order: runs are asynchronous in name, and answers are matched by order.
    let last: Promise<void> = Promise.resolve();
    port.on('message', ({ slot, batches, introduce }: Job) => {
      if (introduce !== undefined) slots.set(slot, new Work(loaded.get(introduce.model)!, introduce));
      const work = slots.get(slot)!;
      last = last.then(async () => {
        try {
          answer({ type: 'done', answer: await work.run(batches) });
        } catch (error) {
          answer({ type: 'error', error: `${work.loaded.model.label}: ${(error as Error).message}` });
        }
      });
    });
    answer({ type: 'ready', detail: device });
  } catch (error) {
    answer({ type: 'failed', error: (error as Error).message });
    process.exitCode = 1;
  }
}

async function openFirst(runtime: Runtime, models: readonly WorkerModel[], devices: readonly string[]): Promise<{ loaded: Map<number, Loaded>; device: string }> {
  let failure: unknown;
  for (const device of devices) {
    try {
      const loaded = new Map<number, Loaded>();
      for (const model of models) {
        const session = await runtime.open(model, device);
        await warmUp(model, session);
        loaded.set(model.id, { model, session });
      }
      return { loaded, device };
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/** The first run allocates and, on a GPU, chooses kernels: it should not be a caller's. @throws Error when the model can't run. */
async function warmUp({ label, batch, input, outputs }: WorkerModel, session: Session): Promise<void> {
  const run = session.bind(new Float32Array(sizeOf(input.shape)), outputs.map(({ width }) => new Float32Array(batch * width)));
  await run().catch((error: unknown) => {
    throw new Error(`${label}: fails on an input of zeros (${(error as Error).message}); rebuild the package with the command in its manifest's field training.command`);
  });
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, each) => product * each, 1);
