import { AlarmServiceService } from '@millwright/contracts';
import type { Logger } from '@millwright/observability';
import type { Plant } from '@millwright/plant';
import { CONFIG, EVENT_LOG, GrpcHost, LOGGER, PLANT, ProcessorHost, type ShellConfig } from '@millwright/shell';
import type { EventLog } from '@millwright/streams';
import { Inject, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { AlarmController } from './alarm.controller.js';
import { AlarmView } from './alarm-view.js';
import { createAlertingProcessor } from './alerting.processor.js';
import { CommandWriter } from './command-writer.js';

@Module({})
export class AlertingModule implements OnModuleInit, OnApplicationShutdown {
  readonly #view: AlarmView;

  constructor(
    @Inject(PLANT) private readonly plant: Plant,
    @Inject(EVENT_LOG) private readonly log: EventLog,
    @Inject(CONFIG) private readonly config: ShellConfig,
    @Inject(ProcessorHost) private readonly processors: ProcessorHost,
    @Inject(GrpcHost) private readonly grpc: GrpcHost,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.#view = new AlarmView(log, plant, logger);
  }

  async onModuleInit(): Promise<void> {
    await this.#view.start();
    this.processors.add(createAlertingProcessor(this.plant));
    const commands = new CommandWriter(this.log, this.config.instance);
    const controller = new AlarmController({ plant: this.plant, view: this.#view, commands, nowUs: () => Date.now() * 1000, closing: this.grpc.closing });
    this.grpc.add(AlarmServiceService, controller);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#view.close();
  }
}
