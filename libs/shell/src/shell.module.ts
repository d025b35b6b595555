import { Inject, Module, type BeforeApplicationShutdown, type DynamicModule, type OnApplicationBootstrap } from '@nestjs/common';
import type { Logger } from '@millwright/observability';
import type { EventLog, StateStore } from '@millwright/streams';
import { GrpcHost } from './grpc-host.js';
import { HttpHost } from './http-host.js';
import { ProcessorHost } from './processor-host.js';
import { Readiness } from './readiness.js';
import { CONFIG, EVENT_LOG, LOGGER, PLANT, STATE_STORE, TELEMETRY, type Surroundings } from './tokens.js';

/** Addresses that the process listens on, host:port. */
export interface Addresses {
  readonly grpc: string;
  readonly http: string;
}

/**
 * What all services share, global in the Nest context. Service modules add processors, gRPC services and checks in
 * onModuleInit; the shell starts them when all modules are there. At shutdown it stops calls and processors in
 * beforeApplicationShutdown, so what calls need until the last is let go of in onApplicationShutdown.
 */
@Module({})
export class ShellModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  #addresses: Addresses | undefined;

  constructor(
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(EVENT_LOG) log: EventLog,
    @Inject(STATE_STORE) store: StateStore,
    @Inject(Readiness) readiness: Readiness,
    @Inject(ProcessorHost) private readonly processors: ProcessorHost,
    @Inject(GrpcHost) private readonly grpc: GrpcHost,
    @Inject(HttpHost) private readonly http: HttpHost,
  ) {
    readiness.add('log', async () => ((await log.healthy()) ? undefined : 'the log does not answer'));
    readiness.add('store', async () => ((await store.healthy()) ? undefined : 'the state store does not answer'));
  }

  static forRoot({ config, log, store, plant, logger, telemetry }: Surroundings): DynamicModule {
    const values = [
      { provide: CONFIG, useValue: config },
      { provide: EVENT_LOG, useValue: log },
      { provide: STATE_STORE, useValue: store },
      { provide: PLANT, useValue: plant },
      { provide: LOGGER, useValue: logger },
      { provide: TELEMETRY, useValue: telemetry },
    ];
    const hosts = [Readiness, ProcessorHost, GrpcHost, HttpHost];
    return { module: ShellModule, global: true, providers: [...values, ...hosts], exports: [...values.map(({ provide }) => provide), ...hosts] };
  }

  get addresses(): Addresses {
    if (this.#addresses === undefined) throw new Error('the shell has not started');
    return this.#addresses;
  }

  /** HTTP first, so that probes are answered while partitions are still being assigned. A failure leaves nothing running. */
  async onApplicationBootstrap(): Promise<void> {
    try {
      const http = await this.http.start();
      await this.processors.start();
      this.#addresses = { http, grpc: await this.grpc.start() };
    } catch (error) {
      await this.#stop();
      throw error;
    }
    this.logger.info(this.#addresses, 'listening');
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.#stop();
    for (const status of this.processors.status()) this.logger.info({ processor: status.processor, ledger: status.ledger }, 'final ledger');
  }

  async #stop(): Promise<void> {
    this.http.drain();
    await this.grpc.close();
    await this.processors.close();
    await this.http.close();
  }
}
