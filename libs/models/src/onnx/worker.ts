import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Device, Job, WorkerAnswer, WorkerModel, WorkerSetup } from './protocol.js';

/** Thread of the ONNX engine: one session a model, one batch at a time. ONNX Runtime's run() blocks, so it must not run on the main thread. */
const port = parentPort!;
const { models, devices } = workerData as WorkerSetup;

interface Loaded {
  readonly model: WorkerModel;
  readonly session: InferenceSession;
}

async function open(device: Device): Promise<Loaded[]> {
  const loaded: Loaded[] = [];
  for (const model of models) {
    const session = await InferenceSession.create(model.model, {
      executionProviders: device === 'cpu' ? ['cpu'] : [device, 'cpu'],
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
    }).catch((error: unknown) => {
      throw new Error(`${model.label}: ${(error as Error).message}`);
    });
    agree(model, session);
    loaded.push({ model, session });
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

async function openFirst(): Promise<{ loaded: Loaded[]; device: Device }> {
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

async function run({ model, session }: Loaded, buffer: ArrayBuffer): Promise<void> {
  const { input, outputs, batch } = model;
  const size = input.shape.reduce((product, each) => product * each, 1);
  const feeds = { [input.name]: new Tensor('float32', new Float32Array(buffer, 0, size), input.shape) };
  const fetches: Record<string, Tensor> = {};
  let offset = size * 4;
  for (const { name, width } of outputs) {
    fetches[name] = new Tensor('float32', new Float32Array(buffer, offset, batch * width), [batch, width]);
    offset += batch * width * 4;
  }
  await session.run(feeds, fetches);
}

function answer(message: WorkerAnswer<ArrayBuffer>, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}

try {
  const { loaded, device } = await openFirst();
  // One after the other, in order: run() is asynchronous in name, and answers are matched by order.
  let last: Promise<void> = Promise.resolve();
  port.on('message', ({ model, buffer }: Job) => {
    last = last
      .then(() => run(loaded[model]!, buffer))
      .then(
        () => answer({ type: 'done', answer: buffer }, [buffer]),
        (error: unknown) => answer({ type: 'error', error: `${loaded[model]!.model.label}: ${(error as Error).message}` }),
      );
  });
  answer({ type: 'ready', detail: device });
} catch (error) {
  answer({ type: 'failed', error: (error as Error).message });
  process.exitCode = 1;
}
