import { availableParallelism } from 'node:os';
import { InferenceScheduler, startOnnxEngine, type ModelPackage } from '@millwright/models';
import { BareOrt } from '../bare-ort.js';
import { figure, type Figure, type Measurement } from '../figure.js';
import { lstmPackage } from '../lstm.js';
import { startOwnServing, type OwnServing } from '../own-serving.js';
import { startMlServer, type MlServer } from '../peers/mlserver.js';
import { OpenInferenceClient } from '../peers/open-inference.js';
import { MissingPeerError } from '../peers/peer.js';

const ROUNDS = 5;
const CALLERS = 64;
/** Windows that a round sends through the scheduler and bare ONNX Runtime, and through the peer. */
const OWN_WINDOWS = 32 * 600;
const PEER_WINDOWS = 4_000;
const WORKERS = Math.max(1, availableParallelism() - 1);
/** Largest difference of two probabilities that the same model gives. */
const TOLERANCE = 1e-5;

/** Runs one window; resolves to the probabilities. */
type Infer = (row: Float32Array) => Promise<Float32Array>;

/** 64 callers that send one window at a time, each its next when it has the answer: windows per second. */
async function concurrently(infer: Infer, rows: readonly Float32Array[], count: number): Promise<number> {
  let next = 0;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: CALLERS }, async () => {
      while (next < count) await infer(rows[next++ % rows.length]!);
    }),
  );
  return count / ((performance.now() - began) / 1000);
}

/** @throws when two ways to run the model do not agree. */
async function compare(ours: Infer, theirs: Infer, rows: readonly Float32Array[]): Promise<void> {
  for (const row of rows.slice(0, CALLERS)) {
    const [a, b] = await Promise.all([ours(row), theirs(row)]);
    if (a.length !== b.length || a.some((value, i) => !(Math.abs(value - b[i]!) <= TOLERANCE))) {
      throw new Error(`the peer's probabilities ${[...b].join(' ')} are not ours, ${[...a].join(' ')}: nothing is timed`);
    }
  }
}

const rowsOf = (model: ModelPackage): Float32Array[] => Array.from({ length: 256 }, (_, r) => Float32Array.from({ length: model.width }, (_, i) => Math.sin(i + r)));

export const servingMeasurement: Measurement = {
  figures: ['inference_vs_ort_c64', 'inference_vs_mlserver', 'serving_vs_mlserver'],
  what: `Serving: an LSTM for ${CALLERS} callers with one window each, by the scheduler of the stream in ${WORKERS} worker(s), against bare onnxruntime-node and against MLServer over gRPC; and our own server over gRPC against it`,
  async measure(progress) {
    const model = await lstmPackage();
    const { batch, input } = model.manifest;
    const shape = [1, input.history, input.features.length];
    const bare = await BareOrt.start(model, WORKERS);
    const engine = await startOnnxEngine({ packages: [model], workers: WORKERS, logger: { info: () => undefined, warn: (_, message) => progress(message) } });
    const scheduler = new InferenceScheduler(engine);
    const rows = rowsOf(model);
    const ours: Infer = async (row) => (await scheduler.submit(model, row, { priority: 'alarm', whenFull: 'reject' }))[0]!;
    let server: MlServer | undefined;
    let client: OpenInferenceClient | undefined;
    let ownServer: OwnServing | undefined;
    let ownClient: OpenInferenceClient | undefined;
    try {
      try {
        server = await startMlServer(model, availableParallelism(), progress);
      } catch (error) {
        if (!(error instanceof MissingPeerError)) throw error;
        progress(error.message);
      }
      client = server && new OpenInferenceClient(server.address, model.manifest.name, server.input);
      const theirs: Infer | undefined = client && ((row) => client!.infer(row, shape));
      ownServer = server && (await startOwnServing(model, WORKERS));
      ownClient = ownServer && new OpenInferenceClient(ownServer.address, model.manifest.name, input.name);
      const served: Infer | undefined = ownClient && ((row) => ownClient!.infer(row, shape));
      await bare.run(OWN_WINDOWS / batch);
      await concurrently(ours, rows, OWN_WINDOWS);
      if (theirs !== undefined) {
        await compare(ours, theirs, rows);
        await concurrently(theirs, rows, PEER_WINDOWS);
      }
      if (served !== undefined) {
        await compare(ours, served, rows);
        await concurrently(served, rows, PEER_WINDOWS);
      }
      const ratios: number[] = [];
      const servedRatios: number[] = [];
      const peerRatios: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const limit = await bare.run(OWN_WINDOWS / batch);
        const own = await concurrently(ours, rows, OWN_WINDOWS);
        ratios.push(own / limit);
        const its = theirs && (await concurrently(theirs, rows, PEER_WINDOWS));
        if (its !== undefined) peerRatios.push(own / its);
        const remote = served && (await concurrently(served, rows, PEER_WINDOWS));
        if (its !== undefined && remote !== undefined) servedRatios.push(remote / its);
        progress(`${Math.round(own)} windows/s, bare ${Math.round(limit)}${its === undefined ? '' : `, MLServer ${Math.round(its)}`}${remote === undefined ? '' : `, ours over gRPC ${Math.round(remote)}`}`);
      }
      const figures: Figure[] = [figure('inference_vs_ort_c64', ratios, 0.9, 'higher', 'ratio')];
      if (peerRatios.length > 0) figures.push(figure('inference_vs_mlserver', peerRatios, 5, 'higher', 'ratio'));
      // Both over the same protocol by the same client, whose own cost is in both.
      if (servedRatios.length > 0) figures.push(figure('serving_vs_mlserver', servedRatios, 5, 'higher', 'ratio'));
      return figures;
    } finally {
      ownClient?.close();
      await ownServer?.stop();
      client?.close();
      await server?.stop();
      await engine.close();
      await bare.close();
    }
  },
};
