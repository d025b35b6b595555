import { Inject, Injectable } from '@nestjs/common';
import { observeProcessors, runtimeTelemetry, type Logger, type Telemetry } from '@millwright/observability';
import { runProcessor, type AnyProcessor, type CommittedBatch, type EventLog, type ProcessorRun, type ProcessorStatus, type StateStore } from '@millwright/streams';
import type { ShellConfig } from './config.js';
import { Readiness } from './readiness.js';
import { CONFIG, EVENT_LOG, LOGGER, STATE_STORE, TELEMETRY } from './tokens.js';

/** Told of each micro-batch that was committed, once in the whole cluster, for measuring what it says; must not throw. */
export type CommitListener = (batch: CommittedBatch) => void;

/** Runs the processors that modules add, from start to shutdown. */
@Injectable()
export class ProcessorHost {
  readonly #processors: { readonly processor: AnyProcessor; readonly committed: CommitListener | undefined }[] = [];
  readonly #runs: ProcessorRun[] = [];

  constructor(
    @Inject(CONFIG) private readonly config: ShellConfig,
    @Inject(EVENT_LOG) private readonly log: EventLog,
    @Inject(STATE_STORE) private readonly store: StateStore,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(TELEMETRY) private readonly telemetry: Telemetry,
    @Inject(Readiness) readiness: Readiness,
  ) {
    readiness.add('processors', () => this.#problem());
  }

  /** To be called in onModuleInit, before the shell starts. */
  add(processor: AnyProcessor, committed?: CommitListener): void {
    this.#processors.push({ processor, committed });
  }

  /** Status of every processor, with its ledger; final after close. */
  status(): readonly ProcessorStatus[] {
    return this.#runs.map((run) => run.status());
  }

  async start(): Promise<void> {
    const { log, store } = this;
    const telemetry = runtimeTelemetry(this.telemetry);
    observeProcessors(this.telemetry, () => this.status());
    for (const { processor, committed } of this.#processors) {
      const logger = this.logger.child({ processor: processor.name });
      const measured = committed === undefined ? telemetry : { ...telemetry, batch: both(telemetry.batch, committed) };
      this.#runs.push(await runProcessor(processor, { log, store, logger, telemetry: measured, checkpointMs: this.config.checkpointMs }));
    }
  }

  /** Drains, takes checkpoints and leaves the groups; each processor ends even where another fails to. */
  async close(): Promise<void> {
    const results = await Promise.allSettled(this.#runs.map((run) => run.close()));
    const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    if (errors.length > 0) throw new AggregateError(errors, 'some processors did not close cleanly');
  }

  /** Why the process should be restarted, if it should: the log has answered no poll for too long. */
  stuck(): string | undefined {
    for (const { processor, lastPollMs } of this.status()) {
      const age = Date.now() - lastPollMs;
      if (age > this.config.livenessMs) return `${processor} last polled ${Math.round(age / 1000)} s ago; at most ${this.config.livenessMs / 1000} s are allowed`;
    }
    return undefined;
  }

  #problem(): string | undefined {
    if (this.#runs.length < this.#processors.length) return 'not all processors have started';
    // One that holds no partition, since there are more members than partitions, stands by and is ready: a rollout waits for it.
    for (const { processor, stalled } of this.status()) if (stalled !== undefined) return `${processor}: ${stalled}`;
    return undefined;
  }
}

const both = (first: CommitListener, second: CommitListener): CommitListener => (batch) => {
  first(batch);
  second(batch);
};
