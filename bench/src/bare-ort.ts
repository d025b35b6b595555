import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { ModelPackage } from '@millwright/models';

/** The limit of inference: a model with bare onnxruntime-node in some workers, full batches, all shared out before. */
export class BareOrt {
  readonly #workers: readonly Worker[];
  readonly #batch: number;

  private constructor(workers: readonly Worker[], batch: number) {
    this.#workers = workers;
    this.#batch = batch;
  }

  /** Resolves when every worker has the model. */
  static async start({ model, manifest: { batch, input } }: ModelPackage, workers: number): Promise<BareOrt> {
    const workerData = { model, batch, history: input.history, features: input.features.length };
    const started = Array.from({ length: workers }, () => new Worker(new URL('./figures/bare-ort-worker.js', import.meta.url), { workerData }));
    await Promise.all(started.map((worker) => once(worker, 'message')));
    return new BareOrt(started, batch);
  }

  /** Runs so many batches, rounded up to as many for each worker: windows per second. */
  async run(batches: number): Promise<number> {
    const share = Math.ceil(batches / this.#workers.length);
    const began = performance.now();
    await Promise.all(
      this.#workers.map((worker) => {
        worker.postMessage(share);
        return once(worker, 'message');
      }),
    );
    return (share * this.#workers.length * this.#batch) / ((performance.now() - began) / 1000);
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
