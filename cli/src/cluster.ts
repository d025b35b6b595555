import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PipelineMeter } from '@millwright/liveview';
import { createLogger } from '@millwright/observability';
import { openReplay } from '@millwright/replay';
import { findOrStart } from '@millwright/servers';
import { GrpcPublisher } from '@millwright/service-ingestion';
import { createSimulator } from '@millwright/simulator';
import { openKafkaLog } from '@millwright/streams';
import { destination } from 'pino';
import { findPlant, homeFolder } from './home.js';
import { inTurn, type Line } from './line.js';
import { present } from './present.js';
import { refusalReporter } from './refusals.js';
import type { RunOptions } from './run-options.js';
import { SERVICES, ServiceProcess } from './service-process.js';
import { UsageError } from './usage-error.js';

export interface ClusterOptions extends RunOptions {
  readonly keep: boolean;
  readonly instances: number;
}

/** `npm run cluster`: the five services as processes of their own on a real Kafka and Redis. */
export async function cluster(options: ClusterOptions): Promise<number> {
  if (!Number.isInteger(options.instances) || options.instances < 1) throw new UsageError('--instances takes a whole number from 1 on.');
  const { plant, path } = await findPlant(options.plant, options.replay);
  const folder = homeFolder('cluster');
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  const logger = createLogger({ service: 'cluster', level: 'info', destination: destination({ dest: join(folder, 'cluster.log'), sync: true }) });
  const servers = await findOrStart({ kafka: { outlive: options.keep }, redis: { outlive: options.keep } });
  const processes: ServiceProcess[] = [];
  let keep = false;
  try {
    for (const name of SERVICES) {
      for (let instance = 1; instance <= options.instances; instance++) processes.push(new ServiceProcess(name, instance, folder, path, servers, options.keep));
    }
    await Promise.all(processes.map((each) => each.ready()));
    const log = await openKafkaLog({ brokers: [...servers.brokers], clientId: 'millwright-cluster', logger });
    const refusals = refusalReporter();
    const source =
      options.replay === undefined
        ? createSimulator(plant, `simulation/${plant.name}/${Date.now().toString(36)}`)
        : await openReplay(plant, options.replay, { source: `replay/${Date.now().toString(36)}`, onRefusal: ({ message }) => refusals.row(message) });
    const publisher = new GrpcPublisher({
      address: processes[0]!.grpc,
      source: source.name,
      logger,
      onRefusal: ({ field, description }) => refusals.record(`${field}: ${description}`),
    });
    const addresses = [...servers.summary, ...processes.map((each) => `${each.title}: gRPC ${each.grpc}, HTTP ${each.http}, process ${each.pid}`), `logs in ${folder}`];
    const line: Line = {
      log,
      addresses,
      publish: inTurn((_, step) => publisher.publish(step)),
      async finish() {
        await publisher.flush();
      },
      statuses: async () => (await Promise.all(processes.map((each) => each.status()))).flat(),
      failed: Promise.race(processes.map((each) => each.died)),
      close: () => log.close(),
    };
    try {
      const code = await present({ options, plant, source, line, meter: new PipelineMeter(), refusals });
      if (options.keep) {
        process.stderr.write(`Left up:\n${addresses.map((each) => `  ${each}\n`).join('')}`);
        keep = true;
      }
      return code;
    } finally {
      publisher.close();
      await source.close();
      await log.close();
    }
  } finally {
    if (keep) for (const each of processes) each.leave();
    else {
      await Promise.all(processes.map((each) => each.stop()));
      await servers.stop();
    }
  }
}
