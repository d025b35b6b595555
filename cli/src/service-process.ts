import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Servers } from '@millwright/servers';
import { EXIT } from '@millwright/shell';
import type { ProcessorStatus } from '@millwright/streams';
import { ROOT, standardRegistry } from './home.js';
import { UsageError } from './usage-error.js';

/** The services of the line, in the order of its flow. */
export const SERVICES = ['ingestion', 'features', 'inference', 'quality', 'alerting'] as const;
export type ServiceName = (typeof SERVICES)[number];

const START_MS = 60_000;
const STOP_MS = 20_000;

/** Processes that are not to live on without this one. */
const attached = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of attached) child.kill('SIGKILL');
});

/** One service as a process of its own; its log is a file. */
export class ServiceProcess {
  readonly title: string;
  readonly died: Promise<string>;
  grpc = '';
  http = '';
  readonly #child: ChildProcess;
  readonly #logFile: string;
  #stopping = false;

  /** @param settings more variables of its environment */
  constructor(
    name: ServiceName, instance: number, folder: string, plantPath: string, { brokers, redisUrl }: Pick<Servers, 'brokers' | 'redisUrl'>, detached: boolean,
    settings: Readonly<Record<string, string>> = {},
  ) {
    this.title = `${name} ${instance}`;
    this.#logFile = join(folder, `${name}-${instance}.log`);
    const output = openSync(this.#logFile, 'a');
    this.#child = spawn(process.execPath, [join(ROOT, 'bundles', name, 'main.js')], {
      stdio: ['ignore', output, output],
      // A process group of its own: Ctrl-C is for the driver, which then ends them in order.
      detached: true,
      env: {
        LISTEN_HOST: '127.0.0.1',
        MILLWRIGHT_REGISTRY: standardRegistry(),
        ...process.env,
        // Where it listens, its log says.
        LOG_LEVEL: 'info',
        GRPC_PORT: '0',
        HTTP_PORT: '0',
        MILLWRIGHT_PLANT: plantPath,
        MILLWRIGHT_INSTANCE: `${name}-${instance}-${process.pid}`,
        KAFKA_BROKERS: brokers.join(','),
        REDIS_URL: redisUrl,
        ...settings,
      },
    });
    closeSync(output);
    if (!detached) {
      attached.add(this.#child);
      this.#child.once('exit', () => attached.delete(this.#child));
    }
    this.died = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        if (this.#stopping) return;
        if (code === EXIT.badInput) resolve(`${this.title} could not be started:\n${this.#sentences()}`);
        else resolve(`${this.title} ended by itself (${signal ?? `exit code ${code}`}); its log is ${this.#logFile}, the end of it:\n${this.#tail()}`);
      });
      this.#child.once('error', (error) => resolve(`${this.title} could not be started: ${error.message}`));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves when the service says that it is ready. @throws UsageError when it refuses what it was given, Error when it ends first or takes too long. */
  async ready(): Promise<void> {
    const began = Date.now();
    const died = this.died.then((reason) => {
      throw this.#child.exitCode === EXIT.badInput ? new UsageError(reason) : new Error(reason);
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
    if (this.#hasEnded) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const forced = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    const [code, signal] = (await ended) as [number | null, NodeJS.Signals | null];
    clearTimeout(forced);
    if (code !== EXIT.ok) process.stderr.write(`${this.title} did not end in order (${signal ?? `exit code ${code}`}); its log is ${this.#logFile}\n`);
  }

  /** Ends it as a crash of the machine would; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#stopping = true;
    if (this.#hasEnded) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  /** Holds it up as a machine that is out of breath would. */
  pause(): void {
    this.#child.kill('SIGSTOP');
  }

  /** Lets it go on after a pause. */
  resume(): void {
    this.#child.kill('SIGCONT');
  }

  /** Lets it live on without this process. */
  leave(): void {
    this.#stopping = true;
    this.#child.unref();
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
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

  /** What its log has for people: all that is not a JSON line. */
  #sentences(): string {
    return readFileSync(this.#logFile, 'utf8').split('\n').filter((line) => line !== '' && !line.startsWith('{')).join('\n');
  }

  #tail(): string {
    return readFileSync(this.#logFile, 'utf8').split('\n').slice(-15).join('\n');
  }
}
