import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Logger, Telemetry } from '@millwright/observability';
import type { Plant } from '@millwright/plant';
import { AlertingModule } from '@millwright/service-alerting';
import { FeaturesModule } from '@millwright/service-features';
import { InferenceModule, type InferenceSettings } from '@millwright/service-inference';
import { INTAKE, IngestionModule, type IngestionSettings, type Intake } from '@millwright/service-ingestion';
import { QualityModule } from '@millwright/service-quality';
import { ProcessorHost, startShell, type Addresses, type ShellConfig } from '@millwright/shell';
import { EmbeddedStateStore, openEmbeddedLog, type EventLog, type ProcessorStatus } from '@millwright/streams';

export interface StandaloneOptions {
  readonly plant: Plant;
  /** File of the event log, made where it is not there yet; `:memory:` for one that ends with the process. */
  readonly file: string;
  readonly config: ShellConfig;
  readonly ingestion: IngestionSettings;
  readonly inference?: InferenceSettings;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
}

/** The whole line in this process. */
export interface Standalone {
  readonly log: EventLog;
  /** For sources inside this process; others use gRPC. */
  readonly intake: Intake;
  readonly addresses: Addresses;
  statuses(): readonly ProcessorStatus[];
  close(): Promise<void>;
}

/** Starts all five services in this process on the embedded log: for a laptop or a gateway, no server needed. */
export async function startStandalone({ plant, file, config, ingestion, inference = {}, logger, telemetry }: StandaloneOptions): Promise<Standalone> {
  if (file !== ':memory:') mkdirSync(dirname(file), { recursive: true });
  const log = openEmbeddedLog(file);
  try {
    const store = new EmbeddedStateStore(log);
    const modules = [IngestionModule.forRoot(ingestion), FeaturesModule, InferenceModule.with(inference), QualityModule, AlertingModule];
    const shell = await startShell({ plant, log, store, config, logger, telemetry }, modules);
    const processors = shell.context.get(ProcessorHost, { strict: false });
    return {
      log,
      intake: shell.context.get<Intake>(INTAKE, { strict: false }),
      addresses: shell.addresses,
      statuses: () => processors.status(),
      async close() {
        await shell.close();
        await store.close();
        await log.close();
      },
    };
  } catch (error) {
    await log.close();
    throw error;
  }
}
