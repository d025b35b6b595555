import { FeatureServiceService } from '@millwright/contracts';
import type { Plant } from '@millwright/plant';
import { CONFIG, GrpcHost, PLANT, ProcessorHost, STATE_STORE, type ShellConfig } from '@millwright/shell';
import type { StateStore } from '@millwright/streams';
import { Inject, Module, type OnModuleInit } from '@nestjs/common';
import { FeatureController } from './feature.controller.js';
import { createFeaturesProcessor } from './features.processor.js';

@Module({})
export class FeaturesModule implements OnModuleInit {
  constructor(
    @Inject(PLANT) private readonly plant: Plant,
    @Inject(STATE_STORE) private readonly store: StateStore,
    @Inject(CONFIG) private readonly config: ShellConfig,
    @Inject(ProcessorHost) private readonly processors: ProcessorHost,
    @Inject(GrpcHost) private readonly grpc: GrpcHost,
  ) {}

  onModuleInit(): void {
    this.processors.add(createFeaturesProcessor(this.plant));
    this.grpc.add(FeatureServiceService, new FeatureController(this.plant, this.store, this.config.partitions));
  }
}
