import { PipelineMeter } from '@millwright/liveview';
import { openReplay } from '@millwright/replay';
import { GrpcPublisher } from '@millwright/service-ingestion';
import { kafkaEnvironment, readEnvironment } from '@millwright/shell';
import { createSimulator } from '@millwright/simulator';
import { openKafkaLog, type ProcessorStatus } from '@millwright/streams';
import { channelCredentials, type ConnectionOptions } from './connection.js';
import { fromNow } from './from-now.js';
import { findPlant } from './home.js';
import { inTurn, type Line } from './line.js';
import { present } from './present.js';
import { refusalReporter } from './refusals.js';
import type { RunOptions } from './run-options.js';
import { standardErrorLogger } from './standard-error-logger.js';

/**
 * `millwright feed`: plays the simulated plant or a file into a line that runs elsewhere, and counts what comes out of its Kafka:
 * the same check as that of `cluster`, whatever runs the services. Event time begins now; at a speed above 1 it gets ahead of the clock, by as much
 * as ingestion allows (MILLWRIGHT_MAX_AHEAD_MS).
 */
export async function feed(options: RunOptions & ConnectionOptions): Promise<number> {
  const credentials = channelCredentials(options);
  const { kafka } = readEnvironment({ kafka: kafkaEnvironment }, process.env);
  const { plant } = await findPlant(options.plant, options.replay);
  const logger = standardErrorLogger('feed');
  const log = openKafkaLog({ ...kafka, clientId: 'millwright-feed', logger });
  const refusals = refusalReporter();
  const run = Date.now().toString(36);
  try {
    const source = fromNow(
      options.replay === undefined
        ? createSimulator(plant, `simulation/${plant.name}/${run}`)
        : await openReplay(plant, options.replay, { source: `replay/${run}`, onRefusal: ({ message }) => refusals.row(message) }),
    );
    const publisher = new GrpcPublisher({
      address: options.address,
      credentials,
      source: source.name,
      logger,
      onRefusal: ({ field, description }) => refusals.record(`${field}: ${description}`),
    });
    const line: Line = {
      log,
      addresses: [`ingestion at ${options.address}`, `Kafka at ${kafka.brokers.join(',')}`],
      publish: inTurn((_, step) => publisher.publish(step)),
      finish: () => publisher.flush(),
      // The services are others' processes: what they lost is seen in their topics.
      statuses: () => Promise.resolve<ProcessorStatus[]>([]),
      failed: new Promise(() => undefined),
      close: () => log.close(),
    };
    try {
      return await present({ options, plant, source, line, meter: new PipelineMeter(), refusals });
    } finally {
      publisher.close();
      await source.close();
    }
  } finally {
    await log.close();
  }
}
