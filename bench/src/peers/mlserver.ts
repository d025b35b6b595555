import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child, freePorts } from '@millwright/servers';
import type { ModelPackage } from '@millwright/models';
import { OpenInferenceClient } from './open-inference.js';
import { PEERS } from './peer.js';
import { pythonOf } from './python.js';

/** Longest time that MLServer waits for a batch to fill, seconds. */
const BATCH_SECONDS = 0.002;
const START_MS = 60_000;

/** An MLServer that serves a model over gRPC, with adaptive batching. */
export interface MlServer {
  readonly address: string;
  readonly input: string;
  stop(): Promise<void>;
}

/** @throws MissingPeerError when this machine lacks what it needs. */
export async function startMlServer({ manifest, model }: ModelPackage, threads: number, progress: (line: string) => void): Promise<MlServer> {
  const python = await pythonOf('mlserver', 'MLServer', progress);
  const folder = mkdtempSync(join(tmpdir(), 'millwright-mlserver-'));
  const [http, grpc, metrics] = (await freePorts(3)) as [number, number, number];
  const uri = join(folder, 'model.onnx');
  const logFile = join(folder, 'mlserver.log');
  writeFileSync(uri, model);
  writeFileSync(
    join(folder, 'settings.json'),
    // In its own process, without workers: what is fastest for a model as small as this.
    JSON.stringify({ host: '127.0.0.1', http_port: http, grpc_port: grpc, metrics_port: metrics, parallel_workers: 0, debug: false }),
  );
  writeFileSync(
    join(folder, 'model-settings.json'),
    JSON.stringify({
      name: manifest.name,
      implementation: 'onnx_model.OnnxModel',
      max_batch_size: manifest.batch,
      max_batch_time: BATCH_SECONDS,
      parameters: { uri, extra: { threads } },
    }),
  );
  const env = [`PYTHONPATH=${join(PEERS, 'mlserver')}`, `PYTHONPYCACHEPREFIX=${folder}`, 'OMP_NUM_THREADS=1'];
  const child = await Child.start({
    command: '/usr/bin/env',
    args: [...env, python, '-c', 'from mlserver.cli import main; main()', 'start', folder],
    logFile,
    outlive: false,
    temporary: folder,
  });
  const address = `127.0.0.1:${grpc}`;
  const client = new OpenInferenceClient(address, manifest.name, manifest.input.name);
  try {
    await child.untilReady('MLServer', logFile, () => client.ready(), START_MS);
  } finally {
    client.close();
  }
  return {
    address,
    input: manifest.input.name,
    async stop() {
      await child.stop(10_000);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
