import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { WorkerModel } from '../workers/protocol.js';
import { serve, type Session } from '../workers/serve.js';

/** Thread of the ONNX engine: one session a model, one batch at a time. ONNX Runtime's run() blocks, so it must not run on the main thread. */
await serve({
  async open(model, device) {
    const session = await InferenceSession.create(model.model, {
      executionProviders: device === 'cpu' ? ['cpu'] : [device, 'cpu'],
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
    }).catch((error: unknown) => {
      throw new Error(`${model.label}: can't be loaded (${(error as Error).message}); rebuild the package with the command in its manifest's field training.command`);
    });
    agree(model, session);
    return bound(model, session);
  },
});

/** Tensors are made once, over the memory that is shared with the main thread. */
function bound({ input, outputs, batch }: WorkerModel, session: InferenceSession): Session {
  return {
    bind(values, written) {
      const feeds = { [input.name]: new Tensor('float32', values, input.shape) };
      const fetches = Object.fromEntries(outputs.map(({ name, width }, i) => [name, new Tensor('float32', written[i]!, [batch, width])]));
      return async () => {
        await session.run(feeds, fetches);
      };
    },
  };
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
