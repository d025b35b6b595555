import type { DynamicModule, Type } from '@nestjs/common';
import { createLogger, type Logger } from '@millwright/observability';
import { loadPlant } from '@millwright/plant';
import { openKafkaLog, openRedisStore } from '@millwright/streams';
import { z } from 'zod';
import { isBadInput } from './bad-input.js';
import { kafkaEnvironment, readEnvironment, redisEnvironment, shellEnvironment } from './config.js';
import { openTelemetry } from './open-telemetry.js';
import { startShell } from './start-shell.js';
import { EXIT, superviseProcess } from './supervise.js';
import type { Surroundings } from './tokens.js';

/** What tells one service from another. */
export interface Service<S> {
  readonly name: string;
  /** Variables of the environment that only this service has. */
  readonly environment?: z.ZodType<S>;
  readonly module: (settings: S) => Type | DynamicModule;
}

/** Runs a service as a process of its own on Kafka and Redis, from its environment, until a signal comes: the whole of a main.ts. */
export async function runService<S = unknown>(service: Service<S>): Promise<void> {
  const { config, kafka, redis, own } = orExit(() =>
    readEnvironment({ config: shellEnvironment, kafka: kafkaEnvironment, redis: redisEnvironment, own: service.environment ?? z.unknown() }, process.env),
  );
  const plant = orExit(() => loadPlant(config.plantPath));
  const logger = createLogger({ service: service.name, level: config.logLevel });

  // What has been opened so far, to be closed in reverse.
  const open: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const close of open.splice(0).reverse()) await close();
    logger.info({}, 'stopped');
  };
  superviseProcess(logger, stop);
  try {
    const telemetry = await openTelemetry(`millwright-${service.name}`, config);
    open.push(() => telemetry.shutdown());
    const store = await openRedisStore({ ...redis, logger });
    open.push(() => store.close());
    const log = await openKafkaLog({ ...kafka, clientId: `millwright-${service.name}-${config.instance}`, logger });
    open.push(() => log.close());
    const surroundings: Surroundings = { config, log, store, plant, logger, telemetry };
    const shell = await startShell(surroundings, [service.module(own as S)]);
    open.push(() => shell.close());
  } catch (error) {
    await failed(logger, error, stop);
  }
}

async function failed(logger: Logger, error: unknown, stop: () => Promise<void>): Promise<never> {
  if (!isBadInput(error)) logger.fatal({ err: error }, 'the service could not start');
  await stop().catch((cause: unknown) => logger.error({ err: cause }, 'shutting down failed'));
  if (isBadInput(error)) exitForPeople(error);
  process.exit(EXIT.failed);
}

function orExit<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!isBadInput(error)) throw error;
    return exitForPeople(error);
  }
}

/** What people gave was wrong: plain sentences for them, no stack. */
function exitForPeople({ message }: Error): never {
  process.stderr.write(`${message}\n`);
  process.exit(EXIT.badInput);
}
