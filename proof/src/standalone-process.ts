import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ROOT } from '@millwright/cli/home';
import { createLogger } from '@millwright/observability';
import { GrpcPublisher } from '@millwright/service-ingestion';
import type { ProcessorStatus } from '@millwright/streams';
import { untilReached } from './progress.js';

const START_MS = 60_000;
const POLL_MS = 50;
const PARTITIONS = 2;
const PAGE_BYTES = 4_096;

export interface StandaloneProcessOptions {
  readonly plantPath: string;
  /** Of the event log, which the process makes. */
  readonly file: string;
  /** Where its log lines go. */
  readonly logFile: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** The whole line on the embedded log, as a process of its own, as on a gateway. */
export class StandaloneProcess {
  readonly #child: ChildProcess;
  readonly #options: StandaloneProcessOptions;
  #grpc = '';
  #http = '';

  private constructor(options: StandaloneProcessOptions) {
    this.#options = options;
    const output = openSync(options.logFile, 'a');
    this.#child = spawn(process.execPath, ['--no-warnings', join(ROOT, 'services/standalone/dist/main.js')], {
      stdio: ['ignore', output, output],
      env: {
        ...process.env, LISTEN_HOST: '127.0.0.1', GRPC_PORT: '0', HTTP_PORT: '0', MILLWRIGHT_PARTITIONS: String(PARTITIONS),
        MILLWRIGHT_PLANT: options.plantPath, MILLWRIGHT_LOG_FILE: options.file, ...options.environment, LOG_LEVEL: 'info',
      },
    });
    closeSync(output);
    // It does not outlive this process.
    const end = (): void => void this.#child.kill('SIGKILL');
    process.once('exit', end);
    this.#child.once('exit', () => process.off('exit', end));
  }

  /** Resolves when it listens. @throws when it ends before */
  static async start(options: StandaloneProcessOptions): Promise<StandaloneProcess> {
    // The log goes on where an earlier process of the same file left it.
    const began = existsSync(options.logFile) ? readFileSync(options.logFile, 'utf8').length : 0;
    const started = new StandaloneProcess(options);
    for (const deadline = performance.now() + START_MS; started.#grpc === ''; await pause(POLL_MS)) {
      if (started.#hasEnded || performance.now() > deadline) {
        started.#child.kill('SIGKILL');
        throw new Error(`the standalone process did not start; its log ends with:\n${readFileSync(options.logFile, 'utf8').split('\n').slice(-5).join('\n')}`);
      }
      for (const line of readFileSync(options.logFile, 'utf8').slice(began).split('\n')) {
        if (!line.includes('"listening"')) continue;
        const { grpc, http } = JSON.parse(line) as { grpc: string; http: string };
        started.#grpc = grpc;
        started.#http = http;
      }
    }
    return started;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** A sender of its own. Refusals are told to `refused`. */
  publisher(source: string, refused: (sentence: string) => void): GrpcPublisher {
    return new GrpcPublisher({
      address: this.#grpc,
      source,
      logger: createLogger({ service: 'proof', level: 'fatal' }),
      onRefusal: ({ field, description }) => refused(`ingestion refused ${field}: ${description}`),
    });
  }

  /** Resolves when every processor has done with all before event time `timeUs`. @throws when that does not get on for long */
  drained(timeUs: number): Promise<void> {
    return untilReached(async () => (await (await fetch(`http://${this.#http}/status`)).json()) as readonly ProcessorStatus[], PARTITIONS, timeUs);
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    if (this.#hasEnded) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  /** Resident memory, MiB. */
  get residentMiB(): number {
    const [, pages] = readFileSync(`/proc/${this.pid}/statm`, 'utf8').split(' ');
    return (Number(pages) * PAGE_BYTES) / 1_048_576;
  }

  /** Ends it in order. @throws when it ends otherwise */
  async stop(): Promise<void> {
    if (!this.#hasEnded) {
      const ended = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      await ended;
    }
    if (this.#child.exitCode !== 0) throw new Error(`the standalone process ended with ${this.#child.exitCode ?? this.#child.signalCode}; its log is ${this.#options.logFile}`);
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}
