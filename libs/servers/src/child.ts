import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';

export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** Standard output and error are appended here. */
  readonly logFile: string;
  /** Lives on when this process ends; otherwise it dies with it, however this process ends. */
  readonly outlive: boolean;
  /** A temporary folder to be removed when it dies with this process. */
  readonly temporary?: string | undefined;
}

/** Waits for the end of its input, which this process holds, so that it comes also when this process is killed. */
const WATCH = 'read line; kill -KILL "$0"; [ -z "$1" ] || rm -rf "$1"';

/** A server as a child process, in a process group of its own so that Ctrl-C reaches it in the order that its owner chooses. */
export class Child {
  readonly pid: number;
  readonly #process: ChildProcess;
  readonly #watch: ChildProcess | undefined;
  readonly #ended: Promise<void>;
  #running = true;

  private constructor(process: ChildProcess, pid: number, { outlive, temporary }: ChildOptions) {
    this.#process = process;
    this.pid = pid;
    this.#watch = outlive
      ? undefined
      : spawn('/bin/sh', ['-c', WATCH, `${pid}`, temporary ?? ''], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    this.#watch?.unref();
    // It must not keep this process alive either; Node types do not know that a pipe is a socket.
    (this.#watch?.stdin as { unref?: () => void } | null | undefined)?.unref?.();
    this.#process.unref();
    this.#ended = once(process, 'exit').then(() => {
      this.#running = false;
      this.#watch?.kill('SIGKILL');
    });
  }

  static async start(options: ChildOptions): Promise<Child> {
    const log = await open(options.logFile, 'a');
    try {
      const child = spawn(options.command, options.args, { detached: true, stdio: ['ignore', log.fd, log.fd] });
      await once(child, 'spawn');
      return new Child(child, child.pid!, options);
    } finally {
      await log.close();
    }
  }

  get running(): boolean {
    return this.#running;
  }

  /** Sends a signal; with SIGKILL, resolves when the process is gone. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    this.#process.kill(signal);
    if (signal === 'SIGKILL') await this.#gone();
  }

  /** Asks it to end, and makes it end after `graceMs`. */
  async stop(graceMs = 5_000): Promise<void> {
    if (!this.#running) return;
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), graceMs);
    this.#process.kill('SIGTERM');
    await this.#gone();
    clearTimeout(timer);
  }

  async #gone(): Promise<void> {
    // While it is waited for, it keeps this process alive.
    this.#process.ref();
    await this.#ended;
  }

  /** Polls until `ready` holds. Rejects with the end of the log when the process ends first, or after `timeoutMs`. */
  async untilReady(name: string, logFile: string, ready: () => Promise<boolean>, timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!(await ready())) {
      if (!this.#running || Date.now() > deadline) {
        const why = this.#running ? `did not answer within ${timeoutMs / 1000} s` : 'ended while it started';
        await this.stop();
        const tail = (await readFile(logFile, 'utf8')).trimEnd().split('\n').slice(-5).join('\n');
        throw new Error(`${name} ${why}; see ${logFile}, which ends with:\n${tail}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
