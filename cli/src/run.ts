import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SourceStep } from '@millwright/contracts';
import { PipelineMeter } from '@millwright/liveview';
import { createLogger, noTelemetry } from '@millwright/observability';
import type { Plant } from '@millwright/plant';
import { openReplay } from '@millwright/replay';
import { inferenceEnvironment } from '@millwright/service-inference';
import { DEFAULT_SETTINGS } from '@millwright/service-ingestion';
import { startStandalone, type Standalone } from '@millwright/service-standalone';
import { openTelemetry, readEnvironment, shellEnvironment } from '@millwright/shell';
import { createSimulator, type PlantSimulator } from '@millwright/simulator';
import { removeLogFile } from '@millwright/streams';
import { destination } from 'pino';
import { findPlant, homeFolder, standardRegistry } from './home.js';
import { inTurn, type Line } from './line.js';
import { present } from './present.js';
import type { RunOptions } from './run-options.js';
import { refusalReporter } from './refusals.js';

/** `npm start`: the whole line in this process, fed by the simulated plant or a file. */
export async function run(options: RunOptions): Promise<number> {
  const { plant, path } = await findPlant(options.plant, options.replay);
  const defaults = { GRPC_PORT: '0', HTTP_PORT: '0', LISTEN_HOST: '127.0.0.1', MILLWRIGHT_PARTITIONS: '1', LOG_LEVEL: 'info', MILLWRIGHT_INSTANCE: 'standalone' };
  const { config, inference } = readEnvironment(
    { config: shellEnvironment, inference: inferenceEnvironment }, { MILLWRIGHT_REGISTRY: standardRegistry(), ...defaults, ...process.env, MILLWRIGHT_PLANT: path },
  );
  const folder = homeFolder(options.replay === undefined ? `standalone-${plant.name}` : `replay-${plant.name}`);
  const files: RunFiles = { events: join(folder, 'log.sqlite'), snapshot: join(folder, 'source.snapshot'), log: join(folder, 'millwright.log') };

  const refusals = refusalReporter();
  const earlier = options.replay === undefined && !options.fresh ? goOn(plant, files) : undefined;
  const simulator = options.replay === undefined ? (earlier ?? createSimulator(plant)) : undefined;
  const source = simulator ?? (await openReplay(plant, options.replay!, { onRefusal: ({ message }) => refusals.row(message) }));
  // A replay is a run of its own: what an earlier one left would only be told apart as repeats.
  if (earlier === undefined) forget(files);

  const logger = createLogger({ service: 'standalone', level: config.logLevel, destination: destination({ dest: files.log, sync: true }) });
  const telemetry = await openTelemetry('millwright-standalone', config).catch((error: unknown) => {
    logger.warn({ err: error }, 'telemetry could not be started; going on without');
    return noTelemetry;
  });

  // Event time of a file or a simulated plant has nothing to do with the clock, and its source is never idle but only slow.
  const ingestion = { ...DEFAULT_SETTINGS, idleMs: Infinity, maxAheadMs: Infinity, watermarkMs: options.speed === 'max' || options.speed > 10 ? 100 : 1000 / Math.max(1, options.speed) };
  const standalone = await startStandalone({ plant, file: files.events, config, ingestion, inference, logger, telemetry });
  try {
    return await present({
      options,
      plant,
      source,
      meter: new PipelineMeter(),
      line: standaloneLine(standalone, refusals.record, [`gRPC ${standalone.addresses.grpc}`, `HTTP ${standalone.addresses.http}`, `log ${files.log}`]),
      refusals,
      ...(simulator === undefined ? {} : { resumption: { snapshot: () => simulator.snapshot(), keep: (snapshot) => writeWhole(files.snapshot, snapshot) } }),
    });
  } finally {
    await standalone.close();
    await source.close();
    await telemetry.shutdown();
  }
}

/** What a run leaves in its folder, for people and for the next run. */
interface RunFiles {
  /** The event log, with the state of the processors. */
  readonly events: string;
  /** Where the simulated plant goes on. */
  readonly snapshot: string;
  /** Log lines. */
  readonly log: string;
}

/** The simulated plant as an earlier run left it; undefined where there was none. Without its snapshot the events of that run are of no use, which is said. */
function goOn(plant: Plant, files: RunFiles): PlantSimulator | undefined {
  if (!existsSync(files.events)) return undefined;
  const simulator = createSimulator(plant);
  try {
    simulator.restore(readFileSync(files.snapshot));
    return simulator;
  } catch (error) {
    process.stderr.write(`The simulated plant starts afresh, for it can't go on from ${files.snapshot}: ${(error as Error).message}\n`);
    return undefined;
  }
}

/** Removes what an earlier run left. @throws LogFileError when that run is not over */
function forget(files: RunFiles): void {
  removeLogFile(files.events);
  for (const file of [files.snapshot, files.log]) rmSync(file, { force: true });
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
