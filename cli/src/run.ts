import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SourceStep } from '@millwright/contracts';
import { PipelineMeter } from '@millwright/liveview';
import { createLogger, noTelemetry, startTelemetry } from '@millwright/observability';
import { openReplay } from '@millwright/replay';
import { DEFAULT_SETTINGS } from '@millwright/service-ingestion';
import { startStandalone, type Standalone } from '@millwright/service-standalone';
import { readEnvironment, shellEnvironment } from '@millwright/shell';
import { createSimulator } from '@millwright/simulator';
import { destination } from 'pino';
import { findPlant, home } from './home.js';
import { inTurn, type Line } from './line.js';
import { present } from './present.js';
import type { RunOptions } from './run-options.js';
import { refusalReporter } from './refusals.js';

/** `npm start`: the whole line in this process, fed by the simulated plant or a file. */
export async function run(options: RunOptions): Promise<number> {
  const { plant, path } = await findPlant(options.plant, options.replay);
  const folder = join(home(), options.replay === undefined ? `standalone-${plant.name}` : `replay-${plant.name}`);
  // A replay is a run of its own: what an earlier one left would only be told apart as repeats.
  if (options.fresh || options.replay !== undefined) rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const logFile = join(folder, 'millwright.log');
  const defaults = { GRPC_PORT: '0', HTTP_PORT: '0', LISTEN_HOST: '127.0.0.1', MILLWRIGHT_PARTITIONS: '1', LOG_LEVEL: 'info', MILLWRIGHT_INSTANCE: 'standalone' };
  const { config } = readEnvironment({ config: shellEnvironment }, { ...defaults, ...process.env, MILLWRIGHT_PLANT: path });
  const logger = createLogger({ service: 'standalone', level: config.logLevel, destination: destination(logFile) });
  const telemetry = await startTelemetry({
    service: 'millwright-standalone',
    version: '0.1.0',
    instance: config.instance,
    sampleRatio: config.sampleRatio,
    ...(config.otlpEndpoint === undefined ? {} : { otlpEndpoint: config.otlpEndpoint }),
  }).catch((error: unknown) => {
    logger.warn({ err: error }, 'telemetry could not be started; going on without');
    return noTelemetry;
  });

  const refusals = refusalReporter();
  const snapshotFile = join(folder, 'source.snapshot');
  const simulator = options.replay === undefined ? createSimulator(plant) : undefined;
  if (simulator !== undefined && existsSync(snapshotFile)) simulator.restore(readFileSync(snapshotFile));
  const source = simulator ?? (await openReplay(plant, options.replay!, { onRefusal: ({ message }) => refusals.row(message) }));

  // Event time of a file or a simulated plant has nothing to do with the clock, and its source is never idle but only slow.
  const ingestion = { ...DEFAULT_SETTINGS, idleMs: Infinity, maxAheadMs: Infinity, watermarkMs: options.speed === 'max' || options.speed > 10 ? 100 : 1000 / Math.max(1, options.speed) };
  const standalone = await startStandalone({ plant, file: join(folder, 'log.sqlite'), config, ingestion, logger, telemetry });
  try {
    return await present({
      options,
      plant,
      source,
      meter: new PipelineMeter(),
      line: standaloneLine(standalone, refusals.record, [`gRPC ${standalone.addresses.grpc}`, `HTTP ${standalone.addresses.http}`, `log ${logFile}`]),
      refusals,
      ...(simulator === undefined ? {} : { resumption: { snapshot: () => simulator.snapshot(), keep: (snapshot) => writeWhole(snapshotFile, snapshot) } }),
    });
  } finally {
    await standalone.close();
    await source.close();
    await telemetry.shutdown();
  }
}

function standaloneLine(standalone: Standalone, refused: (message: string) => void, addresses: readonly string[]): Line {
  const { intake } = standalone;
  const take = inTurn(async ({ production, blocks }: SourceStep) => [await intake.production.take(production), await intake.telemetry.take(blocks)]);
  return {
    log: standalone.log,
    addresses,
    async publish(source, step) {
      const receipts = await take(step);
      for (const { refusals } of receipts) for (const { field, description } of refusals) refused(`${field}: ${description}`);
      await Promise.all(receipts.map(({ durable }) => durable));
      for (const { field, description } of intake.advance(source, step.advanceToUs)) refused(`${field}: ${description}`);
    },
    finish: () => intake.flush(),
    statuses: () => Promise.resolve(standalone.statuses()),
    failed: new Promise(() => undefined),
    close: () => standalone.close(),
  };
}

/** Writes a file so that it is there whole or not at all. */
function writeWhole(file: string, bytes: Uint8Array): void {
  writeFileSync(`${file}.new`, bytes);
  renameSync(`${file}.new`, file);
}
