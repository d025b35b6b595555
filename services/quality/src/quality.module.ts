import { QualityServiceService } from '@millwright/contracts';
import type { Telemetry } from '@millwright/observability';
import type { Plant } from '@millwright/plant';
import { CONFIG, GrpcHost, PLANT, ProcessorHost, STATE_STORE, TELEMETRY, type ShellConfig } from '@millwright/shell';
import type { StateStore } from '@millwright/streams';
import { Inject, Module, type OnModuleInit } from '@nestjs/common';
import { loadBaselines } from './baselines.js';
import { findingsMeter } from './findings-meter.js';
import { QualityController } from './quality.controller.js';
import { createQualityProcessor } from './quality.processor.js';

@Module({})
export class QualityModule implements OnModuleInit {
  constructor(
    @Inject(PLANT) private readonly plant: Plant,
    @Inject(STATE_STORE) private readonly store: StateStore,
    @Inject(TELEMETRY) private readonly telemetry: Telemetry,
    @Inject(CONFIG) private readonly config: ShellConfig,
    @Inject(ProcessorHost) private readonly processors: ProcessorHost,
    @Inject(GrpcHost) private readonly grpc: GrpcHost,
  ) {}

  async onModuleInit(): Promise<void> {
    const baselines = await loadBaselines(this.plant);
    this.processors.add(createQualityProcessor(this.plant, baselines), findingsMeter(this.telemetry));
    this.grpc.add(QualityServiceService, new QualityController(this.plant, baselines, this.store, this.config.partitions));
  }
}
