import { availableParallelism } from 'node:os';
import { InferenceScheduler, startOnnxEngine, type ModelPackage } from '@millwright/models';
import { BareOrt } from '../bare-ort.js';
import { figure, type Measurement } from '../figure.js';
import { lstmPackage } from '../lstm.js';

const ROUNDS = 5;
const BATCHES = 600;
/** Rows that a micro-batch of the stream hands over at a time. */
const ROWS_PER_CALL = 200;
const WORKERS = Math.max(1, availableParallelism() - 1);

/** The scheduler with rows in memory, submitted as the stream does: windows per second. */
async function scheduled(scheduler: InferenceScheduler, model: ModelPackage, rows: Float32Array): Promise<number> {
  const total = BATCHES * model.manifest.batch;
  const began = performance.now();
  const calls: Promise<unknown>[] = [];
  for (let done = 0; done < total; done += ROWS_PER_CALL) {
    calls.push(scheduler.submit(model, rows.subarray(0, Math.min(ROWS_PER_CALL, total - done) * model.width), { priority: 'alarm', whenFull: 'wait' }));
  }
  await Promise.all(calls);
  return total / ((performance.now() - began) / 1000);
}

export const inferenceMeasurement: Measurement = {
  figures: ['inference_vs_ort'],
  what: `Inference: an LSTM in ${WORKERS} worker(s), batches of 32, against bare onnxruntime-node`,
  async measure(progress) {
    const model = await lstmPackage();
    const bare = await BareOrt.start(model, WORKERS);
    const engine = await startOnnxEngine({ packages: [model], workers: WORKERS, logger: { info: () => undefined, warn: (_, message) => progress(message) } });
    const scheduler = new InferenceScheduler(engine);
    const rows = Float32Array.from({ length: ROWS_PER_CALL * model.width }, (_, i) => Math.sin(i));
    try {
      await bare.run(BATCHES);
      await scheduled(scheduler, model, rows);
      const ratios: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const limit = await bare.run(BATCHES);
        const own = await scheduled(scheduler, model, rows);
        progress(`${Math.round(own)} windows/s, bare ${Math.round(limit)}`);
        ratios.push(own / limit);
      }
      return [figure('inference_vs_ort', ratios, 0.9, 'higher', 'ratio')];
    } finally {
      await engine.close();
      await bare.close();
    }
  },
};
