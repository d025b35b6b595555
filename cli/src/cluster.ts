import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, openSync, closeSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PipelineMeter } from '@millwright/liveview';
import { createLogger } from '@millwright/observability';
import { openReplay } from '@millwright/replay';
import { findOrStart, type Servers } from '@millwright/servers';
import { GrpcPublisher } from '@millwright/service-ingestion';
import { createSimulator } from '@millwright/simulator';
import { openKafkaLog, type ProcessorStatus } from '@millwright/streams';
import { destination } from 'pino';
import { findPlant, home, ROOT } from './home.js';
import type { Line } from './line.js';
import { present } from './present.js';
import { refusalReporter } from './refusals.js';
import type { RunOptions } from './run-options.js';
import { UsageError } from './usage-error.js';

const SERVICES = ['ingestion', 'features', 'inference', 'quality', 'alerting'] as const;
const START_MS = 60_000;
const STOP_MS = 20_000;

export interface ClusterOptions extends RunOptions {
  readonly keep: boolean;
  readonly instances: number;
}

/** `npm run cluster`: the five services as processes of their own on a real Kafka and Redis. */
export async function cluster(options: ClusterOptions): Promise<number> {
  if (!Number.isInteger(options.instances) || options.instances < 1) throw new UsageError('--instances takes a whole number from 1 on.');
  const { plant, path } = await findPlant(options.plant, options.replay);
  const folder = join(home(), 'cluster');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const logger = createLogger({ service: 'cluster', level: 'info', destination: destination(join(folder, 'cluster.log')) });
  const servers = await findOrStart({ kafka: { outlive: options.keep }, redis: { outlive: options.keep } });
  const processes: ServiceProcess[] = [];
  let keep = false;
  try {
    for (const name of SERVICES) {
      for (let instance = 1; instance <= options.instances; instance++) processes.push(new ServiceProcess(name, instance, folder, path, servers, options.keep));
    }
    await Promise.all(processes.map((each) => each.ready()));
    const log = await openKafkaLog({ brokers: [...servers.brokers], clientId: 'millwright-cluster', logger });
    const refusals = refusalReporter();
    const source =
      options.replay === undefined
        ? createSimulator(plant, `simulation/${plant.name}/${Date.now().toString(36)}`)
        : await openReplay(plant, options.replay, { source: `replay/${Date.now().toString(36)}`, onRefusal: ({ message }) => refusals.row(message) });
    const publisher = new GrpcPublisher({
      address: processes[0]!.grpc,
      source: source.name,
      logger,
      onRefusal: ({ field, description }) => refusals.record(`${field}: ${description}`),
    });
    const addresses = [...servers.summary, ...processes.map((each) => `${each.title}: gRPC ${each.grpc}, HTTP ${each.http}, process ${each.pid}`), `logs in ${folder}`];
    const line: Line = {
      log,
      addresses,
      publish: (_, step) => publisher.publish(step),
      async finish() {
        await publisher.flush();
      },
      statuses: async () => (await Promise.all(processes.map((each) => each.status()))).flat(),
      failed: Promise.race(processes.map((each) => each.died)),
      close: () => log.close(),
    };
    try {
      const code = await present({ options, plant, source, line, meter: new PipelineMeter(), refusals });
      if (options.keep) {
        process.stderr.write(`Left up:\n${addresses.map((each) => `  ${each}\n`).join('')}`);
        keep = true;
      }
      return code;
    } finally {
      publisher.close();
      await source.close();
      await log.close();
    }
  } finally {
    if (keep) for (const each of processes) each.leave();
    else {
      await Promise.all(processes.map((each) => each.stop()));
      await servers.stop();
    }
  }
}

/** One service as a process of its own; its log is a file. */
class ServiceProcess {
  readonly title: string;
  readonly died: Promise<string>;
  grpc = '';
  http = '';
  readonly #child: ChildProcess;
  readonly #logFile: string;
  #stopping = false;

  constructor(name: string, instance: number, folder: string, plantPath: string, { brokers, redisUrl }: Servers, detached: boolean) {
    this.title = `${name} ${instance}`;
    this.#logFile = join(folder, `${name}-${instance}.log`);
    const output = openSync(this.#logFile, 'a');
    this.#child = spawn(process.execPath, [join(ROOT, 'services', name, 'dist', 'main.js')], {
      stdio: ['ignore', output, output],
      // A process group of its own: Ctrl-C is for the driver, which then ends them in order.
      detached: true,
      env: {
        LOG_LEVEL: 'info',
        GRPC_PORT: '0',
        HTTP_PORT: '0',
        LISTEN_HOST: '127.0.0.1',
        ...process.env,
        MILLWRIGHT_PLANT: plantPath,
        MILLWRIGHT_INSTANCE: `${name}-${instance}-${process.pid}`,
        KAFKA_BROKERS: brokers.join(','),
        REDIS_URL: redisUrl,
      },
    });
    closeSync(output);
    if (!detached) process.once('exit', () => this.#kill('SIGKILL'));
    this.died = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        if (!this.#stopping) resolve(`${this.title} ended by itself (${signal ?? `exit code ${code}`}); its log is ${this.#logFile}, the end of it:\n${this.#tail()}`);
      });
      this.#child.once('error', (error) => resolve(`${this.title} could not be started: ${error.message}`));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves when the service says that it is ready. @throws Error when it ends first or takes too long. */
  async ready(): Promise<void> {
    const began = Date.now();
    const died = this.died.then((reason) => {
      throw new Error(reason);
    });
    while (Date.now() - began < START_MS) {
      await Promise.race([delay(50), died]);
      if (this.http === '') this.#readAddresses();
      else if (await this.#answers('/readyz')) return;
    }
    throw new Error(`${this.title} was not ready within ${START_MS / 1000} s; its log is ${this.#logFile}, the end of it:\n${this.#tail()}`);
  }

  async status(): Promise<readonly ProcessorStatus[]> {
    const response = await fetch(`http://${this.http}/status`);
    return (await response.json()) as readonly ProcessorStatus[];
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#kill('SIGTERM');
    const forced = setTimeout(() => this.#kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(forced);
  }

  /** Lets it live on without this process. */
  leave(): void {
    this.#stopping = true;
    this.#child.unref();
  }

  #kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async #answers(path: string): Promise<boolean> {
    try {
      return (await fetch(`http://${this.http}${path}`)).ok;
    } catch {
      // Not listening yet: asked again until it is, or until the time is up.
      return false;
    }
  }

  /** The service logs where it listens. */
  #readAddresses(): void {
    for (const line of readFileSync(this.#logFile, 'utf8').split('\n')) {
      if (!line.includes('"listening"')) continue;
      const { grpc, http } = JSON.parse(line) as { grpc: string; http: string };
      this.grpc = grpc;
      this.http = http;
    }
  }

  #tail(): string {
    return readFileSync(this.#logFile, 'utf8').split('\n').slice(-15).join('\n');
  }
}
