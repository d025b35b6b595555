import 'reflect-metadata';
import type { DynamicModule, INestApplicationContext, LoggerService, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { observeProcess, type Logger } from '@millwright/observability';
import { ShellModule, type Addresses } from './shell.module.js';
import type { Surroundings } from './tokens.js';
import { topicSpecs } from './topic-specs.js';

/** A running process: all modules in one Nest context. */
export interface RunningShell {
  /** For what the modules provide. */
  readonly context: INestApplicationContext;
  readonly addresses: Addresses;
  /** Ends calls, drains processors, takes checkpoints, leaves the groups. Log, store and telemetry stay open: they are the caller's. */
  close(): Promise<void>;
}

/** Creates the topics, then starts the given service modules on the shell. */
export async function startShell(surroundings: Surroundings, modules: readonly (Type | DynamicModule)[]): Promise<RunningShell> {
  const { config, log, logger, telemetry } = surroundings;
  await log.createTopics(topicSpecs(config.partitions));
  const unobserve = observeProcess(telemetry);
  const context = await NestFactory.createApplicationContext(
    { module: class RootModule {}, imports: [ShellModule.forRoot(surroundings), ...modules] },
    { logger: nestLogger(logger), abortOnError: false },
  );
  return {
    context,
    addresses: context.get(ShellModule).addresses,
    async close() {
      await context.close();
      unobserve();
    },
  };
}

/** Nest's own lines, which tell of every module and provider, at debug. */
function nestLogger(logger: Logger): LoggerService {
  const line = (level: 'debug' | 'warn' | 'error') => (message: unknown) => logger[level]({ nest: true }, String(message));
  return { log: line('debug'), debug: line('debug'), verbose: line('debug'), warn: line('warn'), error: line('error'), fatal: line('error') };
}
