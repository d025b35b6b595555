import { ModelServiceService } from '@millwright/contracts';
import type { EngineLogger } from '@millwright/models';
import type { Telemetry } from '@millwright/observability';
import type { Plant } from '@millwright/plant';
import { GrpcHost, LOGGER, PLANT, ProcessorHost, TELEMETRY } from '@millwright/shell';
import { Inject, Module, Optional, type DynamicModule, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { observeModels, runMeter } from './inference-meter.js';
import { createInferenceProcessor } from './inference.processor.js';
import { ModelController } from './model.controller.js';
import { startModels, type InferenceSettings, type RunningModels } from './models.js';

const SETTINGS = Symbol('InferenceSettings');

@Module({})
export class InferenceModule implements OnModuleInit, OnApplicationShutdown {
  #models: RunningModels | undefined;

  constructor(
    @Inject(PLANT) private readonly plant: Plant,
    @Inject(LOGGER) private readonly logger: EngineLogger,
    @Inject(TELEMETRY) private readonly telemetry: Telemetry,
    @Inject(ProcessorHost) private readonly processors: ProcessorHost,
    @Inject(GrpcHost) private readonly grpc: GrpcHost,
    @Optional() @Inject(SETTINGS) private readonly settings: InferenceSettings = {},
  ) {}

  static with(settings: InferenceSettings): DynamicModule {
    return { module: InferenceModule, providers: [{ provide: SETTINGS, useValue: settings }] };
  }

  async onModuleInit(): Promise<void> {
    const models = await startModels(this.plant, this.settings, this.logger, runMeter(this.telemetry, () => models.engine.device));
    this.#models = models;
    observeModels(this.telemetry, models.engine, models.scheduler);
    this.processors.add(createInferenceProcessor(this.plant, models));
    this.grpc.add(ModelServiceService, new ModelController(models.engine));
  }

  /** After the processors have drained. */
  async onApplicationShutdown(): Promise<void> {
    await this.#models?.close();
  }
}
