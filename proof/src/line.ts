import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ServiceProcess, SERVICES, type ServiceName } from '@millwright/cli/service-process';
import type { SourceStep } from '@millwright/contracts';
import { createLogger } from '@millwright/observability';
import { freePorts, startKafka, startRedis, type KafkaServer, type RedisServer } from '@millwright/servers';
import { GrpcPublisher } from '@millwright/service-ingestion';
import type { ProcessorStatus } from '@millwright/streams';
import { Outputs } from './outputs.js';
import { STEP_S } from './recorded-input.js';

export const PARTITIONS = 4;

const SETTINGS = {
  MILLWRIGHT_PARTITIONS: String(PARTITIONS),
  // Events come at another pace than the clock's, so time is not to go on by the clock where none come.
  MILLWRIGHT_SOURCE_IDLE_MS: '86400000',
  MILLWRIGHT_WATERMARK_MS: '200',
  // The sender sends the production records of a step before its telemetry.
  MILLWRIGHT_OUT_OF_ORDER_MS: String(2 * STEP_S * 1000),
  INFERENCE_WORKERS: '1',
};

/** How long a sender waits for ingestion before it gives up. */
const GIVE_UP_MS = 120_000;

export interface LineOptions {
  /** For logs, data and the values of the output. */
  readonly folder: string;
  readonly plantPath: string;
  /** Name of the sender. */
  readonly source: string;
  /** Of each service. */
  readonly instances: number;
  /** More variables of the services' environment. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** One of the processes of a line; after a kill another one takes its place under the same name. */
export interface Member {
  readonly service: ServiceName;
  readonly instance: number;
  process: ServiceProcess;
  isReady: boolean;
}

/** Where a process listens, the same after each restart. */
type Ports = Readonly<Record<'GRPC_PORT' | 'HTTP_PORT', string>>;

/** The five services as processes, some of each, on a Kafka and a Redis of their own, with a sender and a reader: what the cases break. */
export class Line {
  readonly kafka: KafkaServer;
  readonly redis: RedisServer;
  readonly members: Member[] = [];
  /** What should not have happened so far, a sentence each. */
  readonly failures: string[] = [];
  readonly #options: LineOptions;
  #outputs: Outputs | undefined;
  #publisher: GrpcPublisher | undefined;

  private constructor(options: LineOptions, kafka: KafkaServer, redis: RedisServer) {
    this.#options = options;
    this.kafka = kafka;
    this.redis = redis;
  }

  /** Resolves when all of it is ready. */
  static async start(options: LineOptions): Promise<Line> {
    mkdirSync(options.folder, { recursive: true });
    const kafka = await startKafka({ folder: join(options.folder, 'kafka') });
    const line = new Line(options, kafka, await startRedis({ folder: join(options.folder, 'redis') }));
    try {
      await line.#open();
      return line;
    } catch (error) {
      await line.close();
      throw error;
    }
  }

  get outputs(): Outputs {
    return this.#outputs!;
  }

  /** Sends a step and resolves when there is room for the next, however often ingestion is away meanwhile. */
  publish(step: SourceStep): Promise<void> {
    return this.#publisher!.publish(step);
  }

  /** Resolves when the log has everything that was sent. */
  flush(): Promise<void> {
    return this.#publisher!.flush();
  }

  /** Another process of a service. */
  async join(service: ServiceName): Promise<Member> {
    const instance = 1 + Math.max(0, ...this.members.filter((each) => each.service === service).map((each) => each.instance));
    const [grpc, http] = (await freePorts(2)) as [number, number];
    return this.#start(service, instance, { GRPC_PORT: String(grpc), HTTP_PORT: String(http) });
  }

  /** Ends a process in order, for good. */
  async leave(member: Member): Promise<void> {
    this.members.splice(this.members.indexOf(member), 1);
    await member.process.stop();
  }

  /** Kills a process and starts another under the same name; resolves when the one is gone. */
  async kill(member: Member): Promise<void> {
    const { grpc, http } = member.process;
    await member.process.kill();
    this.#launch(member, { GRPC_PORT: portOf(grpc), HTTP_PORT: portOf(http) });
  }

  /** Resolves when all processes are ready. */
  async ready(): Promise<void> {
    while (!this.members.every(({ isReady }) => isReady)) {
      if (this.failures.length > 0) throw new Error(this.failures[0]);
      await delay(50);
    }
  }

  /** What the processors of the processes that are ready say. */
  async statuses(): Promise<ProcessorStatus[]> {
    const ready = this.members.filter(({ isReady }) => isReady);
    return (await Promise.all(ready.map((member) => member.process.status()))).flat();
  }

  /** Ends the services in order; Kafka, Redis and the reader stay. */
  async stopServices(): Promise<void> {
    this.#publisher?.close();
    await Promise.all(this.members.splice(0).map((member) => member.process.stop()));
  }

  async close(): Promise<void> {
    await this.stopServices();
    await this.#outputs?.close();
    await Promise.all([this.kafka.stop(), this.redis.stop()]);
  }

  async #open(): Promise<void> {
    const { instances, source, folder } = this.#options;
    for (const service of SERVICES) for (let i = 0; i < instances; i++) await this.join(service);
    await this.ready();
    this.#outputs = await Outputs.open(this.kafka.brokers, PARTITIONS, join(folder, 'values.bin'));
    const ingestion = this.members.filter(({ service }) => service === 'ingestion').map(({ process }) => process.grpc);
    this.#publisher = new GrpcPublisher({
      // All of them: where one is away, the client goes to the next.
      address: `ipv4:${ingestion.join(',')}`,
      source,
      giveUpMs: GIVE_UP_MS,
      logger: createLogger({ service: 'proof', level: 'fatal' }),
      onRefusal: ({ field, description }) => this.failures.push(`ingestion refused ${field}: ${description}`),
    });
  }

  #start(service: ServiceName, instance: number, ports: Ports): Member {
    const member: Member = { service, instance, process: this.#spawn(service, instance, ports), isReady: false };
    this.members.push(member);
    this.#follow(member);
    return member;
  }

  #launch(member: Member, ports: Ports): void {
    member.process = this.#spawn(member.service, member.instance, ports);
    this.#follow(member);
  }

  #spawn(service: ServiceName, instance: number, ports: Ports): ServiceProcess {
    const { folder, plantPath, settings } = this.#options;
    return new ServiceProcess(service, instance, folder, plantPath, { brokers: this.kafka.brokers, redisUrl: this.redis.url }, false, { ...SETTINGS, ...settings, ...ports });
  }

  /** Notes when it is ready, and that it ended by itself. */
  #follow(member: Member): void {
    const { process } = member;
    member.isReady = false;
    process.ready().then(
      () => {
        if (member.process === process) member.isReady = true;
      },
      (error: unknown) => {
        if (member.process === process && this.members.includes(member)) this.failures.push((error as Error).message);
      },
    );
    void process.died.then((reason) => {
      if (member.process === process) this.failures.push(reason);
    });
  }
}

const portOf = (address: string): string => address.slice(address.lastIndexOf(':') + 1);
