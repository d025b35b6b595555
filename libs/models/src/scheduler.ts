import { NotLoadedError, type InferenceEngine } from './engine.js';
import { GatherTarget } from './gather-target.js';
import type { ModelPackage } from './package.js';

/** Alarms go before analytics; batches that have room take both. */
export type InferencePriority = 'alarm' | 'analytics';

export interface SubmitOptions {
  readonly priority: InferencePriority;
  /**
   * What to do when the queue is full. 'wait' is for callers that bound what they submit themselves (a stream's
   * micro-batch): their rows queue on top of the capacity.
   */
  readonly whenFull: 'reject' | 'wait';
  /** Milliseconds from now after which the answer is worth nothing: rows not begun by then are dropped. Default: none. */
  readonly deadlineMs?: number;
  /** Aborts when nobody wants the answer any more: rows not begun by then are dropped, and its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

export interface SchedulerOptions {
  /** Rows that may wait; default 8192. */
  readonly capacity?: number;
  /** Longest time that rows wait for others to share their batch with while all workers are busy; default 2 ms. */
  readonly maxDelayMs?: number;
  /**
   * Longest time that rows of analytics wait for others while a worker is idle; default 10 ms. They wait for as many as have been coming
   * lately, so that who calls alone is answered at once. Alarms do not wait for an idle worker, nor does a stream's micro-batch, which is all there.
   */
  readonly maxGatherMs?: number;
  /** Told of each call of the engine that succeeded; must not throw. */
  readonly onRun?: (run: ScheduledRun) => void;
}

/** A call of the engine. */
export interface ScheduledRun {
  readonly model: ModelPackage;
  /** Rows that were asked for, without those that fill the last batch up. */
  readonly rows: number;
  /** Time on the device. */
  readonly milliseconds: number;
}

/** The queue is full: try again later, with less at a time (gRPC RESOURCE_EXHAUSTED). */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError';
}

/** The deadline passed before the rows were run (gRPC DEADLINE_EXCEEDED). */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

interface Request {
  readonly rows: Float32Array;
  readonly count: number;
  /** Rows given to batches so far. */
  begun: number;
  /** Rows answered so far. */
  answered: number;
  /** Made when the first rows come; rows of one batch only need no gathering. */
  outputs: Float32Array[] | undefined;
  readonly order: number;
  readonly submittedMs: number;
  readonly deadlineMs: number;
  /** Whether it is worth waiting for others beside it while a worker is idle. */
  readonly gathers: boolean;
  failed: boolean;
  readonly resolve: (outputs: Float32Array[]) => void;
  readonly reject: (error: Error) => void;
}

/** Rows of one request inside one job. */
interface Segment {
  readonly request: Request;
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** First in, first out. */
class Fifo {
  #items: Request[] = [];
  #head = 0;

  first(): Request | undefined {
    return this.#items[this.#head];
  }

  push(request: Request): void {
    this.#items.push(request);
  }

  shift(): void {
    this.#head++;
    if (this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }
}

interface Lane {
  readonly model: ModelPackage;
  readonly alarm: Fifo;
  readonly analytics: Fifo;
  /** Rows waiting, both priorities. */
  rows: number;
  /** Requests that have rows waiting and do not gather. */
  pressing: number;
  /** Rows that are worth waiting for while a worker is idle. */
  readonly target: GatherTarget;
  /** Batches that take about JOB_MS. */
  batchesAJob: number;
  /** Jobs under way. */
  running: number;
  /** Takes no more rows; called when none wait or run. */
  drained: (() => void) | undefined;
}

/** Jobs that a worker holds at most: one that runs, one that is at hand when it ends. */
const DEPTH = 2;
/** Left of a deadline when rows stop waiting for others: the time of a job, generously. */
const DEADLINE_MARGIN_MS = 5;
/** Time that a job of several batches should take at most: much against the way to the worker, little against a deadline. */
const JOB_MS = 1;

/**
 * Gathers rows of many callers into batches of each model's fixed shape, and batches of small models into jobs. What a
 * row's answer is does not depend on the rows beside it, so neither on when rows were submitted.
 */
export class InferenceScheduler {
  readonly #engine: InferenceEngine;
  readonly #capacity: number;
  readonly #maxDelayMs: number;
  readonly #maxGatherMs: number;
  readonly #onRun: ((run: ScheduledRun) => void) | undefined;
  /** Of packages that had rows. */
  readonly #lanes = new Map<ModelPackage, Lane>();
  #order = 0;
  #waiting = 0;
  #underWay = 0;
  #pumpDue = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(engine: InferenceEngine, options: SchedulerOptions = {}) {
    this.#engine = engine;
    this.#capacity = options.capacity ?? 8192;
    this.#maxDelayMs = options.maxDelayMs ?? 2;
    this.#maxGatherMs = options.maxGatherMs ?? 10;
    this.#onRun = options.onRun;
  }

  /** Rows waiting for a batch. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Runs rows, float32 [n, history, features], and resolves to the outputs, float32 [n, width] each, in the order of
   * `ModelPackage.outputs`. `rows` must stay as it is until then.
   * @throws QueueFullError, DeadlineError, NotLoadedError, EngineError
   */
  submit(model: ModelPackage, rows: Float32Array, options: SubmitOptions): Promise<readonly Float32Array[]> {
    const count = rows.length / model.width;
    if (!Number.isInteger(count) || count === 0) throw new RangeError(`${rows.length} values are no whole rows of ${model.width}`);
    if (options.whenFull === 'reject' && this.#waiting + count > this.#capacity) {
      return Promise.reject(new QueueFullError(`${this.#waiting} rows wait for inference already, and ${count} more exceed ${this.#capacity}: try again later`));
    }
    const lane = this.#lane(model);
    if (lane === undefined) return Promise.reject(new NotLoadedError(`model ${model.manifest.name} ${model.manifest.version} is not loaded`));
    const gathers = options.priority === 'analytics' && options.whenFull === 'reject';
    if (!gathers) lane.pressing++;
    return new Promise((resolve, reject) => {
      const now = performance.now();
      const request: Request = {
        rows,
        count,
        begun: 0,
        answered: 0,
        outputs: undefined,
        order: this.#order++,
        submittedMs: now,
        deadlineMs: options.deadlineMs === undefined ? Infinity : now + options.deadlineMs,
        gathers,
        failed: false,
        resolve,
        reject,
      };
      options.signal?.addEventListener('abort', () => fail(request, options.signal!.reason as Error), { once: true });
      lane[options.priority].push(request);
      lane.rows += count;
      this.#waiting += count;
      this.#pumpSoon();
    });
  }

  /** Refuses new rows of a package, lets those that wait and run end, and has the engine unload it; see InferenceEngine.unload. */
  async unload(model: ModelPackage): Promise<void> {
    const lane = this.#lane(model);
    if (lane === undefined) return;
    await new Promise<void>((resolve) => {
      lane.drained = resolve;
      this.#settle(lane);
    });
    try {
      await this.#engine.unload(model);
    } finally {
      this.#lanes.delete(model);
    }
  }

  /** Undefined where the package is not held, or about to go. */
  #lane(model: ModelPackage): Lane | undefined {
    let lane = this.#lanes.get(model);
    if (lane === undefined && this.#engine.packages.includes(model)) {
      lane = { model, alarm: new Fifo(), analytics: new Fifo(), rows: 0, pressing: 0, target: new GatherTarget(model.manifest.batch), batchesAJob: 1, running: 0, drained: undefined };
      this.#lanes.set(model, lane);
    }
    return lane?.drained === undefined ? lane : undefined;
  }

  #settle(lane: Lane): void {
    if (lane.rows === 0 && lane.running === 0) lane.drained?.();
  }

  /** After all that this turn of the event loop reads, so that rows submitted one by one share batches, those of different callers of gRPC as well. */
  #pumpSoon(): void {
    if (this.#pumpDue) return;
    this.#pumpDue = true;
    setImmediate(() => {
      this.#pumpDue = false;
      this.#pump();
    });
  }

  #pump(): void {
    const now = performance.now();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#underWay < this.#engine.workers * DEPTH) {
      const { lane, untilMs } = this.#next(now);
      if (lane === undefined) {
        if (untilMs < Infinity) this.#timer = setTimeout(() => this.#pump(), untilMs - now).unref();
        return;
      }
      this.#start(lane, now);
    }
  }

  /** The model whose turn it is: alarms first, then who came first, of those that wait for no more rows; or else when the first of them stops waiting. */
  #next(now: number): { readonly lane: Lane | undefined; readonly untilMs: number } {
    let untilMs = Infinity;
    for (const priority of ['alarm', 'analytics'] as const) {
      let best: Lane | undefined;
      let bestOrder = Infinity;
      for (const lane of this.#lanes.values()) {
        const request = this.#head(lane, lane[priority], now);
        if (request === undefined || request.order >= bestOrder) continue;
        const ready = this.#readyMs(lane, request);
        if (ready > now) {
          untilMs = Math.min(untilMs, ready);
          continue;
        }
        best = lane;
        bestOrder = request.order;
      }
      // Where alarms wait, analytics do not take the place that these will want in a moment.
      if (best !== undefined || untilMs < Infinity) return { lane: best, untilMs };
    }
    return { lane: undefined, untilMs };
  }

  /** When the rows of a model stop waiting for others to share their batch with. */
  #readyMs(lane: Lane, { submittedMs, deadlineMs }: Request): number {
    if (lane.rows >= lane.model.manifest.batch) return 0;
    const idle = this.#underWay < this.#engine.workers;
    if (idle && (lane.pressing > 0 || lane.rows >= lane.target.rows)) return 0;
    return Math.min(submittedMs + (idle ? this.#maxGatherMs : this.#maxDelayMs), deadlineMs - DEADLINE_MARGIN_MS);
  }

  /** First request of a queue that is still worth running; takes off what is before it. */
  #head(lane: Lane, queue: Fifo, now: number): Request | undefined {
    let request = queue.first();
    while (request !== undefined && (request.failed || request.deadlineMs <= now)) {
      queue.shift();
      if (!request.gathers) lane.pressing--;
      lane.rows -= request.count - request.begun;
      this.#waiting -= request.count - request.begun;
      fail(request, new DeadlineError('the deadline passed before inference began'));
      request = queue.first();
      this.#settle(lane);
    }
    return request;
  }

  #start(lane: Lane, now: number): void {
    const { model } = lane;
    const { batch } = model.manifest;
    // No more than its share for each job that the workers can hold, so that all of them have work.
    const share = Math.floor(lane.rows / (batch * this.#engine.workers * DEPTH));
    const room = batch * Math.max(1, Math.min(lane.batchesAJob, share));
    if (lane.pressing === 0 && this.#underWay < this.#engine.workers) lane.target.started(lane.rows);
    const segments: Segment[] = [];
    let used = 0;
    for (const queue of [lane.alarm, lane.analytics]) {
      for (let request = this.#head(lane, queue, now); request !== undefined && used < room; request = this.#head(lane, queue, now)) {
        const count = Math.min(request.count - request.begun, room - used);
        segments.push({ request, from: request.begun, to: used, count });
        used += count;
        request.begun += count;
        if (request.begun < request.count) continue;
        queue.shift();
        if (!request.gathers) lane.pressing--;
      }
    }
    const batches = Math.ceil(used / batch);
    lane.rows -= used;
    this.#waiting -= used;
    this.#underWay++;
    lane.running++;
    this.#engine
      .run(model, batches, (input) => {
        for (const { request, from, to, count } of segments) {
          const { rows } = request;
          input.set(count === request.count ? rows : rows.subarray(from * model.width, (from + count) * model.width), to * model.width);
        }
        input.fill(0, used * model.width);
      })
      .then(
        ({ outputs, milliseconds }) => {
          this.#onRun?.({ model, rows: used, milliseconds });
          lane.batchesAJob = Math.max(1, Math.min(this.#engine.mostBatches(model), Math.round((JOB_MS * batches) / milliseconds)));
          deliver(model, segments, outputs);
        },
        (error: unknown) => {
          for (const { request } of segments) fail(request, error as Error);
        },
      )
      .finally(() => {
        this.#underWay--;
        lane.running--;
        this.#settle(lane);
        this.#pump();
      });
  }
}

function deliver(model: ModelPackage, segments: readonly Segment[], outputs: readonly Float32Array[]): void {
  for (const { request, from, to, count } of segments) {
    request.answered += count;
    if (count === request.count) {
      request.outputs = model.outputs.map(({ width }, i) => outputs[i]!.slice(to * width, (to + count) * width));
    } else {
      request.outputs ??= model.outputs.map(({ width }) => new Float32Array(request.count * width));
      for (let i = 0; i < outputs.length; i++) {
        const { width } = model.outputs[i]!;
        request.outputs[i]!.set(outputs[i]!.subarray(to * width, (to + count) * width), from * width);
      }
    }
    if (request.answered === request.count && !request.failed) request.resolve(request.outputs);
  }
}

function fail(request: Request, error: Error): void {
  if (request.failed) return;
  request.failed = true;
  request.reject(error);
}
