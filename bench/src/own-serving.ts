import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { credentials } from '@grpc/grpc-js';
import { GRPCInferenceServiceClient } from '@millwright/contracts';
import type { ModelPackage } from '@millwright/models';
import { Child, freePorts } from '@millwright/servers';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const START_MS = 60_000;

/** Millwright in a process of its own, with a model beside its (idle) stream. */
export interface OwnServing {
  readonly address: string;
  stop(): Promise<void>;
}

/** Starts standalone on the bench's plant and has it load the model as any client would. */
export async function startOwnServing({ manifest: { name }, directory }: ModelPackage, workers: number): Promise<OwnServing> {
  const folder = mkdtempSync(join(tmpdir(), 'millwright-serving-'));
  const [grpc, http] = (await freePorts(2)) as [number, number];
  cpSync(join(ROOT, 'bench/plant.yaml'), join(folder, 'plant.yaml'));
  cpSync(directory, join(folder, 'models', name), { recursive: true });
  const logFile = join(folder, 'standalone.log');
  const env = [
    `MILLWRIGHT_PLANT=${join(folder, 'plant.yaml')}`, 'MILLWRIGHT_LOG_FILE=:memory:', 'LOG_LEVEL=warn', 'LISTEN_HOST=127.0.0.1',
    `GRPC_PORT=${grpc}`, `HTTP_PORT=${http}`, `INFERENCE_WORKERS=${workers}`,
  ];
  const child = await Child.start({ command: '/usr/bin/env', args: [...env, process.execPath, join(ROOT, 'bundles/standalone/main.js')], logFile, outlive: false, temporary: folder });
  const stop = async (): Promise<void> => {
    await child.stop(10_000);
    rmSync(folder, { recursive: true, force: true });
  };
  const address = `127.0.0.1:${grpc}`;
  const client = new GRPCInferenceServiceClient(address, credentials.createInsecure());
  try {
    await child.untilReady('standalone', logFile, () => new Promise((resolve) => client.serverReady({}, (error, answer) => resolve(error === null && answer.ready))), START_MS);
    await new Promise<void>((resolve, reject) => {
      client.repositoryModelLoad({ repositoryName: '', modelName: name, parameters: {} }, (error) => (error === null ? resolve() : reject(error)));
    });
  } catch (error) {
    await stop();
    throw error;
  } finally {
    client.close();
  }
  return { address, stop };
}
