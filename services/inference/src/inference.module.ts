import { GRPCInferenceServiceService, ModelServiceService } from '@millwright/contracts';
import type { EngineLogger } from '@millwright/models';
import type { Telemetry } from '@millwright/observability';
import type { Plant } from '@millwright/plant';
import { EVENT_LOG, GrpcHost, HttpHost, LOGGER, PLANT, ProcessorHost, Readiness, TELEMETRY } from '@millwright/shell';
import type { EventLog } from '@millwright/streams';
import { Inject, Module, Optional, type DynamicModule, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { registryFolder } from './environment.js';
import { createDriftProcessor } from './drift/drift.processor.js';
import { driftMeter, observeModels, runMeter, shadowMeter } from './inference-meter.js';
import { createInferenceProcessor, packagedBenches } from './inference.processor.js';
import { modelsDirectory } from './judge.js';
import { ModelController } from './model.controller.js';
import { OpenInferenceController } from './serving/grpc.controller.js';
import { openInferenceHandler } from './serving/http.handler.js';
import { ModelServer } from './serving/model-server.js';
import { ModelRepository } from './serving/repository.js';
import { startModels, type InferenceSettings, type RunningModels } from './models.js';
import { openRegistry, type OpenRegistry } from './registry/open-registry.js';

const SETTINGS = Symbol('InferenceSettings');

@Module({})
export class InferenceModule implements OnModuleInit, OnApplicationShutdown {
  #models: RunningModels | undefined;
  #registry: OpenRegistry | undefined;

  constructor(
    @Inject(PLANT) private readonly plant: Plant,
    @Inject(EVENT_LOG) private readonly log: EventLog,
    @Inject(LOGGER) private readonly logger: EngineLogger,
    @Inject(TELEMETRY) private readonly telemetry: Telemetry,
    @Inject(ProcessorHost) private readonly processors: ProcessorHost,
    @Inject(GrpcHost) private readonly grpc: GrpcHost,
    @Inject(HttpHost) private readonly http: HttpHost,
    @Inject(Readiness) private readonly readiness: Readiness,
    @Optional() @Inject(SETTINGS) private readonly settings: InferenceSettings = {},
  ) {}

  static with(settings: InferenceSettings): DynamicModule {
    return { module: InferenceModule, providers: [{ provide: SETTINGS, useValue: settings }] };
  }

  async onModuleInit(): Promise<void> {
    const models = await startModels(this.plant, this.settings, this.logger, runMeter(this.telemetry, () => models.engine.device));
    this.#models = models;
    observeModels(this.telemetry, models.engine, models.scheduler);
    const { plant, log, logger, settings } = this;
    const registry = await openRegistry({
      plant, log, logger, folder: settings.registryFolder ?? registryFolder(process.env), trustedKeysFile: settings.trustedKeysFile,
      engine: models.engine, scheduler: models.scheduler, nowUs: () => Date.now() * 1000,
    });
    this.#registry = registry;
    this.processors.add(createInferenceProcessor(plant, { ...models, versions: registry.versions }), shadowMeter(this.telemetry, models.packages.map(({ manifest }) => manifest.name)));
    // Also where no model has a profile: who waits for all to be done must know whose marks to wait for.
    this.processors.add(createDriftProcessor(plant, packagedBenches(plant, models), registry.versions), driftMeter(this.telemetry));
    this.grpc.add(ModelServiceService, new ModelController(models.engine));
    this.grpc.add(registry.service, registry.controller);
    const repository = new ModelRepository({ directory: modelsDirectory(this.plant), ...models });
    const server = new ModelServer(repository, models.scheduler, models.engine.name, this.readiness);
    this.grpc.add(GRPCInferenceServiceService, new OpenInferenceController(server));
    this.http.add('/v2', openInferenceHandler(server));
  }

  /** After the processors have drained. */
  async onApplicationShutdown(): Promise<void> {
    await this.#registry?.close();
    await this.#models?.close();
  }
}
