import { setTimeout as pause } from 'node:timers/promises';
import { deadLetterTopic, lateTopic } from '@millwright/contracts';
import { FencedError, LostCommitError, type Delivery, type GroupHandler, type LogBatch, type Membership, type Offsets, type Transactor } from './log.js';
import { partitionFor } from './partition.js';
import type { AnyProcessor } from './processor.js';
import type { NewRecord } from './record.js';
import type { InputStatus, LedgerEntry, ProcessorRun, ProcessorStatus, RunProcessor, RuntimeOptions } from './runtime.js';
import { CheckpointLostError, type CheckpointDelta } from './state.js';
import { Task } from './task.js';

const DEFAULT_CHECKPOINT_MS = 5_000;
const MIN_RETRY_MS = 50;
const MAX_RETRY_MS = 5_000;
/**
 * How long offsets may wait for outputs to go with. Records that gave none are read again by whoever takes over, and give none again:
 * so most healthy machines cost no transactions of their own.
 */
const OFFSETS_WAIT_MS = 500;
/** Outputs that wait while a commit is under way, at most: then the partition waits for it. */
const MAX_APPLIED_BYTES = 1_048_576;
/** Links of a micro-batch's span, at most. */
const MAX_LINKS = 128;

const since = (beganMs: number): number => Math.round(performance.now() - beganMs);

/**
 * Which part of the interval is over when a task begins. Services start together, and so do the partitions of one: if they also took
 * their checkpoints together, that would hold up for a moment all that a record passes through.
 */
const checkpointPhase = (task: string): number => partitionFor(task, 1_000) / 1_000;

const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** What has been applied and goes into the log by the next commit. */
interface Applied {
  readonly outputs: NewRecord[];
  /** Of the outputs' values. */
  bytes: number;
  /** Offsets behind it, by topic. */
  readonly offsets: Record<string, number>;
  /** The state as it was at some time since the commit before: to be saved when this one is done. */
  checkpoint: CheckpointDelta | undefined;
  /** Resolves to the seconds that the commit took. */
  readonly committed: Promise<number>;
  resolve(seconds: number): void;
  reject(error: unknown): void;
}

/** A partition number that this member holds. */
interface Held {
  readonly partition: number;
  readonly task: Task;
  readonly transactor: Transactor;
  /** Since when it is being taken over, and how many records have been re-applied; undefined once it is up to date. */
  takeOver: { readonly beganMs: number; reapplied: number } | undefined;
  /** Records before these are in the log's past already: they move the state, and write nothing. */
  readonly committed: ReadonlyMap<string, number>;
  /** Version of what the store holds; a state rebuilt from the log may be saved from there on. */
  readonly storedVersion: number;
  /** Whether the next save must drop what the store holds of the task. */
  replace: boolean;
  /** Inputs whose output sequences must be looked up in the log before anything is written. */
  readonly resume: Set<string>;
  /** As of the last batch that is committed. */
  watermarks: ReturnType<Task['watermarks']>;
  applied: Applied;
  /** The commit that is under way, or what makes sure of it. */
  underWay: Promise<unknown> | undefined;
  /** It, and those that follow it without a break. */
  committing: Promise<void> | undefined;
  /** Resolves when the last commit that has outputs, or is under way, is done. */
  lastCommit: Promise<unknown>;
  committedAtMs: number;
  /** When the last checkpoint was taken. */
  checkpointAtMs: number;
  /** Whether one has been taken that is not saved yet. */
  isCheckpointing: boolean;
  saving: Promise<void> | undefined;
  /** Why it is held no more. */
  failure: Error | undefined;
}

function nothingApplied(): Applied {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  // Who waits for it hears of a failure; where nobody does, the partition's next call does.
  promise.catch(() => undefined);
  return { outputs: [], bytes: 0, offsets: {}, checkpoint: undefined, committed: promise, resolve, reject };
}

/** Notes what has been applied; resolves with the commit that takes it. */
function take(held: Held, topic: string, nextOffset: number, outputs: readonly NewRecord[]): Promise<number> {
  const { applied } = held;
  applied.offsets[topic] = nextOffset;
  for (const output of outputs) {
    applied.outputs.push(output);
    applied.bytes += output.value.length;
  }
  if (outputs.length > 0) held.lastCommit = applied.committed;
  return applied.committed;
}

/**
 * Runs a processor on the partitions that its group gives to this process, exactly once: outputs and offsets go in one
 * transaction; state comes from the last checkpoint and the records since.
 */
export const runProcessor: RunProcessor = async (processor, options) => {
  const runner = new Runner(processor, options);
  await runner.join();
  return runner;
};

class Runner implements GroupHandler, ProcessorRun {
  readonly #processor: AnyProcessor;
  readonly #options: RuntimeOptions;
  readonly #checkpointMs: number;
  readonly #held = new Map<number, Held>();
  /** As of the last batch, by partition; kept when a partition is given back at close. */
  readonly #ledgers = new Map<number, readonly LedgerEntry[]>();
  /** Records behind, by partition and topic. */
  readonly #lags = new Map<number, Map<string, number>>();
  /** Why a partition makes no progress. */
  readonly #stalls = new Map<number, string>();
  readonly #closing = new AbortController();
  readonly #startedMs = Date.now();
  #membership: Membership | undefined;

  constructor(processor: AnyProcessor, options: RuntimeOptions) {
    this.#processor = processor;
    this.#options = options;
    this.#checkpointMs = options.checkpointMs ?? DEFAULT_CHECKPOINT_MS;
  }

  async join(): Promise<void> {
    this.#membership = await this.#options.log.join(this.#processor.name, this.#processor.inputs, this);
  }

  status(): ProcessorStatus {
    const [stalled] = this.#stalls.values();
    let lag = 0;
    for (const topics of this.#lags.values()) for (const each of topics.values()) lag += each;
    return {
      processor: this.#processor.name,
      assignment: this.#membership?.assignment() ?? [],
      lastPollMs: this.#membership?.lastPollMs() ?? this.#startedMs,
      lag,
      inputs: [...this.#held].flatMap(([partition, { watermarks }]) => this.#inputs(partition, watermarks)),
      ledger: [...this.#ledgers].sort(([a], [b]) => a - b).flatMap(([, entries]) => entries),
      ...(stalled === undefined ? {} : { stalled }),
    };
  }

  #inputs(partition: number, watermarks: ReturnType<Task['watermarks']>): InputStatus[] {
    const lags = this.#lags.get(partition);
    return watermarks.map(({ topic, watermarkUs }) => ({
      topic,
      partition,
      lag: lags?.get(topic) ?? 0,
      ...(watermarkUs === undefined ? {} : { watermarkUs }),
    }));
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error(`${this.#processor.name} is closing`));
    await this.#membership?.close();
  }

  async assigned(partition: number): Promise<Offsets> {
    const { log } = this.#options;
    const { name, inputs, outputs } = this.#processor;
    const beganMs = performance.now();
    const written = [...outputs, ...inputs.map(deadLetterTopic), ...inputs.map(lateTopic)];
    const transactor = await this.#insist(partition, 'take the partition over', () => log.transactor(name, partition, inputs, written));
    try {
      return await this.#restore(partition, transactor, beganMs);
    } catch (error) {
      await transactor.close();
      throw error;
    }
  }

  /**
   * Applies; a commit follows, which takes with it all that is applied until it begins. While one is under way the next batches are
   * applied, so that a partition waits for the log only when it has more to write than the log takes.
   */
  async batches(batches: readonly LogBatch[]): Promise<Delivery> {
    const { partition } = batches[0]!;
    const held = this.#held.get(partition);
    if (held === undefined) throw new FencedError(`${this.#processor.name}/${partition} had another owner`);
    try {
      await this.#process(held, batches);
      if (held.failure !== undefined) throw held.failure;
    } catch (error) {
      await this.#fail(held, error);
      throw error;
    }
    const committed = held.lastCommit.then(this.#publication(held, batches));
    return { committed };
  }

  async revoked(partition: number): Promise<void> {
    const held = this.#held.get(partition);
    if (held !== undefined) {
      const beganMs = performance.now();
      try {
        await this.#saved(held);
        this.#checkpoint(held);
        await this.#saved(held);
      } catch (error) {
        if (!(error instanceof FencedError)) throw error;
        this.#sayFenced(partition, error.message);
      } finally {
        await this.#drop(held);
      }
      this.#options.logger.info({ task: held.task.name, tookMs: since(beganMs) }, `${held.task.name} given back`);
    }
    this.#stalls.delete(partition);
    this.#lags.delete(partition);
    if (!this.#closing.signal.aborted) this.#ledgers.delete(partition);
  }

  /** The state as of the last checkpoint, or none; resolves to where to read from. */
  async #restore(partition: number, transactor: Transactor, beganMs: number): Promise<Offsets> {
    const { log, store, logger } = this.#options;
    const openedMs = performance.now();
    const committed = new Map(Object.entries(await this.#insist(partition, 'read the committed offsets', () => transactor.committed())));
    let task = new Task(this.#processor, partition, logger);
    const [stored, begins] = await Promise.all([
      this.#insist(partition, 'load the checkpoint', async () => {
        const loaded = await store.load(task.name);
        if (loaded !== undefined) await this.#checkOfThisLog(partition, loaded.checkpoint.offsets);
        return loaded;
      }),
      this.#insist(partition, 'find out where its inputs begin', () => Promise.all(this.#processor.inputs.map((topic) => log.firstOffsets(topic)))),
    ]);
    let restored = false;
    if (stored !== undefined) {
      try {
        task.restore(stored.checkpoint, stored.entries);
        restored = true;
        // Saved after its commit, so at least that far is committed, also where the log has forgotten the group's offsets.
        for (const [topic, offset] of Object.entries(task.offsets)) committed.set(topic, Math.max(offset, committed.get(topic) ?? 0));
      } catch (error) {
        logger.warn({ task: task.name, err: error }, `the checkpoint of ${task.name} can't be used (${sentence(error)}): its state is rebuilt from the log`);
        task = new Task(this.#processor, partition, logger);
      }
    } else if (committed.size > 0) {
      logger.warn({ task: task.name }, `there is no checkpoint of ${task.name}: its state is rebuilt from the log`);
    }
    for (const [i, topic] of this.#processor.inputs.entries()) task.begins(topic, begins[i]?.[partition] ?? 0);
    this.#held.set(partition, {
      partition,
      task,
      transactor,
      takeOver: { beganMs, reapplied: 0 },
      committed,
      storedVersion: stored?.checkpoint.version ?? 0,
      replace: !restored,
      resume: new Set(restored ? [] : committed.keys()),
      watermarks: task.watermarks(),
      applied: nothingApplied(),
      underWay: undefined,
      committing: undefined,
      lastCommit: Promise.resolve(),
      committedAtMs: -Infinity,
      checkpointAtMs: performance.now() - checkpointPhase(task.name) * this.#checkpointMs,
      isCheckpointing: false,
      saving: undefined,
      failure: undefined,
    });
    this.#ledgers.set(partition, task.ledger());
    const took = { openMs: since(beganMs) - since(openedMs), restoreMs: since(openedMs) };
    logger.info({ task: task.name, offsets: task.offsets, committed: Object.fromEntries(committed), ...took }, `${task.name} assigned`);
    return task.offsets;
  }

  /** The store may hold the checkpoints of another log, one that was deleted since: nothing good would come of them. */
  async #checkOfThisLog(partition: number, offsets: Offsets): Promise<void> {
    const topics = Object.keys(offsets);
    const ends = await Promise.all(topics.map((topic) => this.#options.log.endOffsets(topic)));
    for (const [i, topic] of topics.entries()) {
      const [offset, end] = [offsets[topic]!, ends[i]?.[partition] ?? 0];
      if (offset > end) {
        throw new Error(`the stored checkpoint is at offset ${offset} of ${topic}/${partition}, which ends at ${end}: the state store belongs to another log; empty it, or connect the right one`);
      }
    }
  }

  async #process(held: Held, batches: readonly LogBatch[]): Promise<void> {
    const { task } = held;
    for (const batch of batches) {
      const { topic, records, nextOffset } = batch;
      const committed = held.committed.get(topic) ?? 0;
      let live = records.findIndex(({ offset }) => offset >= committed);
      if (live === -1) live = records.length;
      if (live > 0) {
        const past = { topic, records: records.slice(0, live), nextOffset: live < records.length ? committed : nextOffset };
        await task.apply(past, { live: false });
        if (held.takeOver !== undefined) held.takeOver.reapplied += live;
      }
      if (live < records.length) {
        if (held.takeOver !== undefined) this.#sayUpToDate(held, held.takeOver);
        await this.#live(held, live === 0 ? batch : { ...batch, records: records.slice(live) });
      }
    }
    if (task.unrepeatable || performance.now() - held.checkpointAtMs >= this.#checkpointMs) this.#checkpoint(held);
    const { outputs, bytes } = held.applied;
    if (held.committing === undefined) {
      if (outputs.length > 0 || performance.now() - held.committedAtMs >= OFFSETS_WAIT_MS) this.#startCommits(held);
    } else if (bytes > MAX_APPLIED_BYTES) await held.underWay;
  }

  /** Applies a batch, in a span that lasts until its outputs are committed; resolves when it is applied. */
  #live(held: Held, batch: LogBatch): Promise<void> {
    const { task, partition } = held;
    const { topic, records, nextOffset } = batch;
    const applied = Promise.withResolvers<void>();
    this.#spanned(batch, async (traceparent) => {
      const startedMs = performance.now();
      if (held.resume.delete(topic) && task.mayDiffer(topic)) {
        await this.#insist(partition, 'read what it has written', () => this.#resumeSequences(task, topic));
      }
      const outputs = await task.apply(batch, { live: true, traceparent });
      const committed = take(held, topic, nextOffset, outputs);
      applied.resolve();
      const commitSeconds = outputs.length > 0 ? await committed : 0;
      this.#options.telemetry?.batch({
        processor: this.#processor.name,
        topic,
        partition,
        records: records.length,
        outputs,
        results: this.#processor.outputs,
        seconds: (performance.now() - startedMs) / 1_000,
        commitSeconds,
        traceparent,
      });
    }).catch(applied.reject);
    return applied.promise;
  }

  /** What people see of the partition once the batches are committed: so who waits for a lag of nothing finds all outputs in the log. */
  #publication(held: Held, batches: readonly LogBatch[]): () => void {
    const { partition, task } = held;
    const ledger = task.ledger();
    const watermarks = task.watermarks();
    return () => {
      held.watermarks = watermarks;
      this.#ledgers.set(partition, ledger);
      let lags = this.#lags.get(partition);
      if (lags === undefined) this.#lags.set(partition, (lags = new Map()));
      for (const { topic, highWatermark, nextOffset } of batches) lags.set(topic, Math.max(0, highWatermark - nextOffset));
    };
  }

  #spanned<T>({ topic, partition, records }: LogBatch, run: (traceparent: string | undefined) => Promise<T>): Promise<T> {
    const { telemetry } = this.#options;
    if (telemetry === undefined) return run(undefined);
    const links = new Set<string>();
    for (const { headers } of records) {
      if (headers.traceparent !== undefined) links.add(headers.traceparent);
      if (links.size >= MAX_LINKS) break;
    }
    const subject = { operation: 'process', topic, partition, records: records.length, processor: this.#processor.name } as const;
    return telemetry.span(subject, [...links], run);
  }

  /**
   * Commits what has been applied, and then what has been applied meanwhile, until there are no outputs left. A checkpoint is saved once
   * the commit that it stands on can no longer be lost, as the next one shows, or the log where there is none.
   */
  #startCommits(held: Held): void {
    const commits = async (): Promise<void> => {
      let committed: CheckpointDelta | undefined;
      try {
        do {
          const { applied } = held;
          held.applied = nothingApplied();
          held.underWay = held.lastCommit = applied.committed;
          try {
            applied.resolve(await this.#commit(held, applied));
          } catch (error) {
            applied.reject(error);
            throw error;
          }
          if (committed !== undefined) this.#save(held, committed);
          committed = applied.checkpoint;
          if (committed !== undefined && held.applied.outputs.length === 0) {
            await (held.underWay = this.#insist(held.partition, 'make sure of its commits', () => held.transactor.complete()));
            this.#save(held, committed);
            committed = undefined;
          }
        } while ((held.applied.outputs.length > 0 || held.applied.checkpoint !== undefined) && held.failure === undefined);
      } finally {
        // In the same turn in which nothing was left: what is applied after it starts the next.
        held.underWay = held.committing = undefined;
      }
    };
    held.committing = commits();
    held.committing.catch((error: unknown) => this.#fail(held, error));
  }

  /** Commits, until it is done or another owner turns up: the outputs stay the same. Resolves to the seconds that it took. */
  async #commit(held: Held, { outputs, offsets }: Applied): Promise<number> {
    const startedMs = performance.now();
    let first = true;
    await this.#insist(held.partition, 'commit', async () => {
      if (!first) {
        const committed = await held.transactor.committed();
        if (Object.entries(offsets).every(([topic, offset]) => (committed[topic] ?? 0) >= offset)) return;
      }
      first = false;
      await held.transactor.commit(outputs, offsets);
    });
    held.committedAtMs = performance.now();
    return (held.committedAtMs - startedMs) / 1_000;
  }

  /**
   * Takes a checkpoint, unless one is on its way, and commits: the state as it is between two batches, which is saved once all that it
   * stands on is committed. The next batches do not wait for it.
   */
  #checkpoint(held: Held): void {
    const { task } = held;
    if (!held.isCheckpointing && task.version >= held.storedVersion) {
      held.isCheckpointing = true;
      held.checkpointAtMs = performance.now();
      held.applied.checkpoint = task.checkpoint();
    }
    if (held.committing === undefined) this.#startCommits(held);
  }

  /** Resolves when all that has been taken as a checkpoint is saved, or could not be. */
  async #saved(held: Held): Promise<void> {
    await held.committing;
    await held.saving;
  }

  /** Tries until it succeeds, this run closes, or another owner turns up. */
  async #insist<T>(partition: number, what: string, attempt: () => Promise<T>): Promise<T> {
    const { signal } = this.#closing;
    for (let retryMs = MIN_RETRY_MS; ; retryMs = Math.min(2 * retryMs, MAX_RETRY_MS)) {
      try {
        const result = await attempt();
        this.#stalls.delete(partition);
        return result;
      } catch (error) {
        if (error instanceof FencedError || error instanceof LostCommitError || signal.aborted) throw error;
        const stalled = `${this.#processor.name}/${partition} could not ${what}: ${sentence(error)}`;
        if (this.#stalls.get(partition) !== stalled) this.#options.logger.warn({ processor: this.#processor.name, partition, err: error }, `${stalled}; it tries again`);
        this.#stalls.set(partition, stalled);
      }
      await pause(retryMs, undefined, { signal });
    }
  }

  #save(held: Held, delta: CheckpointDelta): void {
    const { task } = held;
    const { store, logger, telemetry } = this.#options;
    const startedMs = performance.now();
    const measure = (outcome: 'saved' | 'refused' | 'failed'): void =>
      telemetry?.checkpoint({ processor: this.#processor.name, outcome, seconds: (performance.now() - startedMs) / 1_000 });
    held.saving = store
      .save(task.name, delta, held.replace)
      .then(
        async (accepted) => {
          measure(accepted ? 'saved' : 'refused');
          held.replace = false;
          if (!accepted) await this.#fail(held, new FencedError(`the store holds a newer checkpoint of ${task.name}`));
        },
        (error: unknown) => {
          measure('failed');
          if (error instanceof CheckpointLostError) {
            held.replace = true;
            task.allUnsaved();
          } else {
            task.unsaved(delta);
          }
          logger.warn({ task: task.name, err: error }, `the checkpoint of ${task.name} was not saved (${sentence(error)}): it is tried again later, nothing is lost`);
        },
      )
      .finally(() => {
        held.saving = undefined;
        held.isCheckpointing = false;
      });
  }

  /** What it holds of the partition is worth nothing any more. */
  async #fail(held: Held, reason: unknown): Promise<void> {
    const { task, partition } = held;
    held.failure ??= reason instanceof Error ? reason : new Error(String(reason));
    held.applied.reject(held.failure);
    // What was applied before it failed may still be committed; that must have come to its end before anybody takes over. Its own failure comes here as well.
    await held.committing?.catch(() => undefined);
    if (this.#held.get(partition) !== held) return;
    await this.#drop(held);
    if (reason instanceof FencedError) this.#sayFenced(partition, reason.message);
    else if (!this.#closing.signal.aborted) {
      this.#options.logger.error({ task: task.name, err: reason }, `${task.name} failed and starts afresh from its checkpoint: ${sentence(reason)}`);
    }
  }

  async #drop(held: Held): Promise<void> {
    if (this.#held.get(held.partition) === held) this.#held.delete(held.partition);
    await held.transactor.close();
  }

  #sayUpToDate(held: Held, { beganMs, reapplied }: NonNullable<Held['takeOver']>): void {
    held.takeOver = undefined;
    this.#options.logger.info({ task: held.task.name, reapplied, tookMs: since(beganMs) }, `${held.task.name} is up to date`);
  }

  #sayFenced(partition: number, reason: string): void {
    this.#options.logger.info({ processor: this.#processor.name, partition }, `${this.#processor.name}/${partition} has another owner now: ${reason}`);
  }

  /** What the outputs were counted from is gone in part, or was counted by others: the outputs themselves say how far they got. */
  async #resumeSequences(task: Task, input: string): Promise<void> {
    const resumed = [...this.#processor.outputs, deadLetterTopic(input)].map(async (topic) => {
      const sequence = await this.#options.log.lastSequence(topic, task.partition, task.source(input));
      if (sequence !== undefined) task.resumeSequence(input, topic, sequence);
    });
    await Promise.all(resumed);
  }
}
