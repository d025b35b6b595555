import { AlarmServiceService, TOPICS } from '@millwright/contracts';
import type { Logger, Telemetry } from '@millwright/observability';
import type { Plant } from '@millwright/plant';
import { CONFIG, EVENT_LOG, GrpcHost, LOGGER, PLANT, ProcessorHost, Readiness, TELEMETRY, type ShellConfig } from '@millwright/shell';
import type { EventLog } from '@millwright/streams';
import { Inject, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { AlarmController } from './alarm.controller.js';
import { alarmMeter, observeAlarms } from './alarm-meter.js';
import { AlarmView } from './alarm-view.js';
import { createAlertingProcessor } from './alerting.processor.js';
import { CommandWriter } from './command-writer.js';

const nowUs = (): number => Date.now() * 1000;

@Module({})
export class AlertingModule implements OnModuleInit, OnApplicationShutdown {
  readonly #view: AlarmView;

  constructor(
    @Inject(PLANT) private readonly plant: Plant,
    @Inject(EVENT_LOG) private readonly log: EventLog,
    @Inject(CONFIG) private readonly config: ShellConfig,
    @Inject(ProcessorHost) private readonly processors: ProcessorHost,
    @Inject(GrpcHost) private readonly grpc: GrpcHost,
    @Inject(Readiness) private readonly readiness: Readiness,
    @Inject(TELEMETRY) private readonly telemetry: Telemetry,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.#view = new AlarmView(log, plant, logger);
  }

  async onModuleInit(): Promise<void> {
    await this.#view.start();
    // Not waited for: what a killed owner has left open in the log, which holds the view up, only the processor's start ends.
    this.readiness.add('alarms', () => (this.#view.isCaughtUp ? undefined : 'the alarms of before the start have not all been read yet'));
    const processor = createAlertingProcessor(this.plant);
    this.processors.add(processor, alarmMeter(this.telemetry));
    observeAlarms(this.telemetry, {
      plant: this.plant,
      open: () => this.#view.open(),
      assignment: () => this.processors.status().find(({ processor: name }) => name === processor.name)?.assignment ?? [],
      partitions: await this.log.partitions(TOPICS.alarms.name),
      nowUs,
    });
    const commands = new CommandWriter(this.log, this.config.instance);
    const controller = new AlarmController({ plant: this.plant, view: this.#view, commands, nowUs, closing: this.grpc.closing });
    this.grpc.add(AlarmServiceService, controller);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#view.close();
  }
}
