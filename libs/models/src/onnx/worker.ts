import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Device, Job, JobAnswer, Slot, WorkerAnswer, WorkerModel, WorkerSetup } from './protocol.js';

/** Thread of the ONNX engine: one session a model, one batch at a time. ONNX Runtime's run() blocks, so it must not run on the main thread. */
const port = parentPort!;
const { models, devices } = workerData as WorkerSetup;

interface Loaded {
  readonly model: WorkerModel;
  readonly session: InferenceSession;
}

async function open(device: Device): Promise<Map<number, Loaded>> {
  const loaded = new Map<number, Loaded>();
  for (const model of models) {
    const session = await InferenceSession.create(model.model, {
      executionProviders: device === 'cpu' ? ['cpu'] : [device, 'cpu'],
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
    }).catch((error: unknown) => {
      throw new Error(`${model.label}: can't be loaded (${(error as Error).message}); rebuild the package with the command in its manifest's field training.command`);
    });
    agree(model, session);
    await warmUp(model, session);
    loaded.set(model.id, { model, session });
  }
  return loaded;
}

/** @throws Error when the graph is not what the manifest says. */
function agree(model: WorkerModel, session: InferenceSession): void {
  const input = session.inputMetadata.find((each) => each.name === model.input.name);
  const fits =
    input?.isTensor === true &&
    input.type === 'float32' &&
    input.shape.length === model.input.shape.length &&
    input.shape.every((size, axis) => typeof size === 'string' || size === model.input.shape[axis]);
  if (!fits || session.inputNames.length !== 1) {
    throw new Error(`${model.label}: the graph's input must be "${model.input.name}", float32 [${model.input.shape.join(', ')}], and the only one; correct the manifest's fields input and batch, or export the graph so`);
  }
  for (const { name, width } of model.outputs) {
    const output = session.outputMetadata.find((each) => each.name === name);
    if (output?.isTensor !== true || output.type !== 'float32' || (typeof output.shape.at(-1) === 'number' && output.shape.at(-1) !== width)) {
      throw new Error(`${model.label}: the graph has no output "${name}", float32 [${model.batch}, ${width}]; correct the manifest's field outputs, or export the graph so`);
    }
  }
}

/** The first run allocates and, on a GPU, chooses kernels: it should not be a caller's. @throws Error when the model can't run. */
async function warmUp({ label, input }: WorkerModel, session: InferenceSession): Promise<void> {
  const values = new Float32Array(input.shape.reduce((product, each) => product * each, 1));
  await session.run({ [input.name]: new Tensor('float32', values, input.shape) }).catch((error: unknown) => {
    throw new Error(`${label}: fails on an input of zeros (${(error as Error).message}); rebuild the package with the command in its manifest's field training.command`);
  });
}

async function openFirst(): Promise<{ loaded: Map<number, Loaded>; device: Device }> {
  const failures: string[] = [];
  for (const device of devices) {
    try {
      return { loaded: await open(device), device };
    } catch (error) {
      failures.push((error as Error).message);
    }
  }
  throw new Error(failures.at(-1));
}

type Tensors = Record<string, Tensor>;

/** A slot with the tensors of each of its batches, made once. */
class Work {
  readonly #batches: { readonly feeds: Tensors; readonly fetches: Tensors }[];
  readonly loaded: Loaded;

  constructor(loaded: Loaded, { capacity, memory }: Slot) {
    this.loaded = loaded;
    const { input, outputs, batch } = loaded.model;
    const size = input.shape.reduce((product, each) => product * each, 1);
    this.#batches = Array.from({ length: capacity }, (_, at) => {
      const feeds = { [input.name]: new Tensor('float32', new Float32Array(memory, at * size * 4, size), input.shape) };
      const fetches: Tensors = {};
      let region = capacity * size * 4;
      for (const { name, width } of outputs) {
        fetches[name] = new Tensor('float32', new Float32Array(memory, region + at * batch * width * 4, batch * width), [batch, width]);
        region += capacity * batch * width * 4;
      }
      return { feeds, fetches };
    });
  }

  /** Runs the first `batches`; returns the milliseconds. */
  async run(batches: number): Promise<number> {
    const start = performance.now();
    for (let at = 0; at < batches; at++) {
      const { feeds, fetches } = this.#batches[at]!;
      await this.loaded.session.run(feeds, fetches);
    }
    return performance.now() - start;
  }
}

function answer(message: WorkerAnswer<JobAnswer>): void {
  port.postMessage(message);
}

try {
  const { loaded, device } = await openFirst();
  const slots = new Map<number, Work>();
  // One after the other, in order: run() is asynchronous in name, and answers are matched by order.
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
