import { inspect } from 'node:util';
import { createLogger } from '@millwright/observability';
import { loadPlant } from '@millwright/plant';
import { inferenceEnvironment } from '@millwright/service-inference';
import { ingestionEnvironment } from '@millwright/service-ingestion';
import { EXIT, isBadInput, openTelemetry, readEnvironment, shellEnvironment, superviseProcess } from '@millwright/shell';
import { z } from 'zod';
import { startStandalone } from './standalone.js';

/** What standalone needs besides what every service does. */
const environment = z
  .object({ MILLWRIGHT_LOG_FILE: z.string({ error: 'give the path of the event log file; it is made where it is not there' }).min(1) })
  .transform((env) => ({ file: env.MILLWRIGHT_LOG_FILE }));

/** A gateway's process: no source of its own, data comes over gRPC. */
async function main(): Promise<void> {
  const { config, ingestion, inference, own } = readEnvironment({ config: shellEnvironment, ingestion: ingestionEnvironment, inference: inferenceEnvironment, own: environment }, process.env);
  const plant = loadPlant(config.plantPath);
  const logger = createLogger({ service: 'standalone', level: config.logLevel });
  const telemetry = await openTelemetry('millwright-standalone', config);
  const standalone = await startStandalone({ plant, file: own.file, config, ingestion, inference, logger, telemetry });
  superviseProcess(logger, async () => {
    await standalone.close();
    await telemetry.shutdown();
  });
}

main().catch((error: unknown) => {
  const people = isBadInput(error);
  process.stderr.write(`${people ? error.message : inspect(error)}\n`);
  process.exit(people ? EXIT.badInput : EXIT.failed);
});
