import { Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import type { Logger, Telemetry } from '@millwright/observability';
import type { Plant } from '@millwright/plant';
import { CONFIG, EVENT_LOG, LOGGER, PLANT, TELEMETRY, type ShellConfig } from '@millwright/shell';
import type { EventLog } from '@millwright/streams';
import { IngestionController } from './ingestion.controller.js';
import { openIntake, type Intake } from './intake.js';
import { ProductionController } from './production.controller.js';
import type { IngestionSettings } from './settings.js';
import { INTAKE } from './tokens.js';

/** Ingestion in a Nest context: the Intake (by INTAKE, for in-process replays) and the gRPC services that feed it. */
@Module({})
export class IngestionModule implements OnApplicationShutdown {
  constructor(@Inject(INTAKE) private readonly intake: Intake) {}

  static forRoot(settings: IngestionSettings): DynamicModule {
    const intake = {
      provide: INTAKE,
      inject: [PLANT, EVENT_LOG, LOGGER, TELEMETRY, CONFIG],
      useFactory: (plant: Plant, log: EventLog, logger: Logger, telemetry: Telemetry, { instance }: ShellConfig) =>
        openIntake({ plant, log, logger, telemetry, instance, settings }),
    };
    return { module: IngestionModule, providers: [intake, IngestionController, ProductionController], exports: [INTAKE] };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.intake.close();
  }
}
