import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { credentials } from '@grpc/grpc-js';
import { ServiceProcess } from '@millwright/cli/service-process';
import { IngestionServiceClient, type PublishRequest, type PublishResponse } from '@millwright/contracts';
import type { Plant } from '@millwright/plant';
import { startRedis } from '@millwright/servers';
import { startBroker } from '../broker.js';
import { figure, type Measurement } from '../figure.js';
import { MOTOR_PLANT, motorPlant, secondOf } from '../motors.js';

const ROUNDS = 5;
const WARM_UP_ROUNDS = 3;
/** A request for each second of event time, with all blocks of the motors in it: about 1 MB, as GrpcPublisher makes them. */
const REQUESTS = 150;

/** Requests of a round; each round has a source of its own, since a repeat would cost less. */
function requestsOf(plant: Plant, round: number): PublishRequest[] {
  return Array.from({ length: REQUESTS }, (_, second) => ({ blocks: [...secondOf(plant, `bench/${round}`, second)] }));
}

/** Sends all requests on one stream, as fast as it takes them; blocks a second until the answer. */
async function publish(client: IngestionServiceClient, requests: readonly PublishRequest[]): Promise<number> {
  const began = performance.now();
  const { promise, resolve, reject } = Promise.withResolvers<PublishResponse>();
  const call = client.publish((error, response) => (error === null ? resolve(response) : reject(error)));
  for (const request of requests) if (!call.write(request)) await Promise.race([once(call, 'drain'), promise]);
  call.end();
  const { accepted } = await promise;
  const sent = requests.reduce((sum, { blocks }) => sum + blocks.length, 0);
  if (accepted !== sent) throw new Error(`${accepted} of ${sent} blocks were accepted`);
  return sent / ((performance.now() - began) / 1000);
}

export const ingestionMeasurement: Measurement = {
  figures: ['ingest_vs_echo'],
  what: 'Ingestion: blocks of 1,024 samples over gRPC into Kafka, against a bare grpc-js service that counts them',
  async measure(progress) {
    const folder = mkdtempSync(join(tmpdir(), 'millwright-bench-'));
    const [broker, redis] = await Promise.all([startBroker(), startRedis()]);
    const service = new ServiceProcess('ingestion', 1, folder, MOTOR_PLANT, { brokers: broker.brokers, redisUrl: redis.url }, false);
    const counting = fork(fileURLToPath(new URL('./bare-counting-server.js', import.meta.url)));
    const clients: IngestionServiceClient[] = [];
    try {
      const [[port]] = (await Promise.all([once(counting, 'message'), service.ready()])) as [[number], void];
      const [bare, real] = [`127.0.0.1:${port}`, service.grpc].map((address) => new IngestionServiceClient(address, credentials.createInsecure())) as [IngestionServiceClient, IngestionServiceClient];
      clients.push(bare, real);
      const plant = motorPlant();
      const ratios: number[] = [];
      // The first rounds warm up: code gets compiled, that of the broker too.
      for (let round = 1 - WARM_UP_ROUNDS; round <= ROUNDS; round++) {
        const requests = requestsOf(plant, round);
        const limit = await publish(bare, requests);
        const own = await publish(real, requests);
        progress(`${Math.round(own)} blocks/s, bare ${Math.round(limit)}`);
        if (round > 0) ratios.push(own / limit);
      }
      return [figure('ingest_vs_echo', ratios, 0.5, 'higher', 'ratio')];
    } finally {
      for (const client of clients) client.close();
      counting.disconnect();
      await service.stop();
      await Promise.all([broker.stop(), redis.stop()]);
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
