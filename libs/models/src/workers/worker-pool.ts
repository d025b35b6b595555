import { Worker } from 'node:worker_threads';
import { EngineError } from '../engine.js';
import type { WorkerAnswer } from './protocol.js';

export interface PoolOptions {
  readonly script: URL;
  readonly workerData: unknown;
  readonly size: number;
  /** Times that a job is given to a worker before it is given up. */
  readonly attempts: number;
  /** A worker died and its jobs go to another. */
  readonly onDeath: (reason: string, jobs: number) => void;
}

/** Makes the message of a job for a worker; called once an attempt. */
export type MakeJob<J> = (worker: Worker) => J;

interface Pending<J, A> {
  readonly make: MakeJob<J>;
  readonly resolve: (answer: A) => void;
  readonly reject: (error: EngineError) => void;
  attempts: number;
}

interface Lane<J, A> {
  /** What its workers are started with. */
  readonly workerData: unknown;
  worker: Worker | undefined;
  /** Given to the worker and not answered; it answers in order. */
  readonly pending: Pending<J, A>[];
  lastError: string;
  /** Gets no more jobs; called when it has none left. */
  retired: (() => void) | undefined;
}

/**
 * Worker threads that answer jobs in order. A worker that dies is replaced when there is work for it; its unanswered jobs
 * are given out again, each at most `attempts` times in all.
 *
 * @typeParam J message of a job
 * @typeParam A answer to it
 */
export class WorkerPool<J, A> {
  readonly #options: PoolOptions;
  readonly #lanes: Lane<J, A>[];
  readonly #idle: (() => void)[] = [];
  #outstanding = 0;
  #closing = false;
  #replacing: Promise<void> = Promise.resolve();

  private constructor(options: PoolOptions) {
    this.#options = options;
    this.#lanes = Array.from({ length: options.size }, () => laneOf<J, A>(options.workerData));
  }

  /**
   * Starts all workers; resolves when every one is ready, to what the first said of itself.
   * @throws EngineError when one can't start.
   */
  static async start<J, A>(options: PoolOptions): Promise<{ pool: WorkerPool<J, A>; detail: string }> {
    const pool = new WorkerPool<J, A>(options);
    try {
      const details = await Promise.all(pool.#lanes.map((lane) => pool.#spawn(lane)));
      return { pool, detail: details[0]! };
    } catch (error) {
      await pool.close();
      throw error;
    }
  }

  /** Resolves to the answer. @throws EngineError when the job failed or was given up. */
  run(make: MakeJob<J>): Promise<A> {
    if (this.#closing) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      this.#outstanding++;
      this.#give({ make, resolve, reject, attempts: 0 });
    });
  }

  /**
   * Replaces every worker by one started with `workerData`, one after the other: when the new one is ready it gets the
   * jobs, and the old one ends when it has answered its own. There is one worker more than usual at most.
   * @throws EngineError when a new worker can't start; it and those not yet replaced stay as they were.
   */
  replace(workerData: unknown): Promise<void> {
    const replaced = this.#replacing.then(async () => {
      for (let i = 0; i < this.#lanes.length; i++) await this.#replaceLane(i, laneOf<J, A>(workerData));
    });
    this.#replacing = replaced.catch(() => undefined);
    return replaced;
  }

  /** Waits for the jobs under way, then stops the workers. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#replacing;
    if (this.#outstanding > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
    await Promise.all(this.#lanes.map((lane) => lane.worker?.terminate()));
  }

  async #replaceLane(index: number, fresh: Lane<J, A>): Promise<void> {
    if (this.#closing) throw closed();
    await this.#spawn(fresh);
    const old = this.#lanes[index]!;
    this.#lanes[index] = fresh;
    await new Promise<void>((resolve) => {
      old.retired = resolve;
      if (old.pending.length === 0) resolve();
    });
    await old.worker?.terminate();
  }

  #give(pending: Pending<J, A>): void {
    let lane = this.#lanes[0]!;
    for (const other of this.#lanes) if (other.pending.length < lane.pending.length) lane = other;
    // A replacement that fails to start shows up as a death with this job pending, which counts the attempt.
    if (lane.worker === undefined) this.#spawn(lane).catch(() => undefined);
    pending.attempts++;
    lane.pending.push(pending);
    lane.worker!.postMessage(pending.make(lane.worker!));
  }

  #spawn(lane: Lane<J, A>): Promise<string> {
    const worker = new Worker(this.#options.script, { workerData: lane.workerData });
    lane.worker = worker;
    lane.lastError = '';
    let ready = false;
    return new Promise((resolve, reject) => {
      worker.on('message', (message: WorkerAnswer<A>) => {
        if (message.type === 'ready') {
          ready = true;
          resolve(message.detail);
        } else if (message.type === 'failed') lane.lastError = message.error;
        else this.#answered(lane, message);
      });
      worker.on('error', (error: Error) => (lane.lastError = error.message));
      worker.on('exit', (code) => {
        const reason = lane.lastError || `exit code ${code}`;
        lane.worker = undefined;
        reject(new EngineError(reason));
        if (lane.pending.length > 0 || (ready && !this.#closing && lane.retired === undefined)) this.#died(lane, reason);
      });
    });
  }

  #answered(lane: Lane<J, A>, message: Extract<WorkerAnswer<A>, { type: 'done' | 'error' }>): void {
    const pending = lane.pending.shift()!;
    if (message.type === 'done') pending.resolve(message.answer);
    else pending.reject(new EngineError(message.error));
    if (lane.pending.length === 0) lane.retired?.();
    this.#settled();
  }

  #died(lane: Lane<J, A>, reason: string): void {
    const orphans = lane.pending.splice(0);
    lane.retired?.();
    this.#options.onDeath(reason, orphans.length);
    // Only the first was under way; the others waited behind it and are not to blame.
    for (const waiting of orphans.slice(1)) waiting.attempts--;
    for (const orphan of orphans) {
      if (orphan.attempts < this.#options.attempts) {
        this.#give(orphan);
      } else {
        orphan.reject(new EngineError(`gave up after ${orphan.attempts} attempts: the worker died (${reason})`));
        this.#settled();
      }
    }
  }

  #settled(): void {
    this.#outstanding--;
    if (this.#outstanding === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }
}

function laneOf<J, A>(workerData: unknown): Lane<J, A> {
  return { workerData, worker: undefined, pending: [], lastError: '', retired: undefined };
}

const closed = (): EngineError => new EngineError('the inference engine is closed');
