import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';

/** The limit: nothing but ONNX Runtime running the same batch over and over in a worker. */
const port = parentPort!;
const { model, batch, history, features } = workerData as { model: Uint8Array; batch: number; history: number; features: number };
const session = await InferenceSession.create(model, { executionProviders: ['cpu'], intraOpNumThreads: 1, interOpNumThreads: 1 });
const input = new Tensor('float32', Float32Array.from({ length: batch * history * features }, (_, i) => Math.sin(i)), [batch, history, features]);
port.on('message', (batches: number) => {
  void (async () => {
    for (let i = 0; i < batches; i++) await session.run({ features: input });
    port.postMessage(batches);
  })();
});
port.postMessage('ready');
