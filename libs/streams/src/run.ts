import { setTimeout as pause } from 'node:timers/promises';
import { deadLetterTopic, lateTopic } from '@millwright/contracts';
import { FencedError, LostCommitError, type GroupHandler, type LogBatch, type Membership, type Offsets, type Transactor } from './log.js';
import type { AnyProcessor } from './processor.js';
import type { NewRecord } from './record.js';
import type { InputStatus, LedgerEntry, ProcessorRun, ProcessorStatus, RunProcessor, RuntimeOptions } from './runtime.js';
import { CheckpointLostError } from './state.js';
import { Task } from './task.js';

const DEFAULT_CHECKPOINT_MS = 5_000;
const MIN_RETRY_MS = 50;
const MAX_RETRY_MS = 5_000;
/**
 * How long offsets may wait for outputs to go with. Records that gave none are read again by whoever takes over, and give none again:
 * so most healthy machines cost no transactions of their own.
 */
const OFFSETS_WAIT_MS = 500;
/** Links of a micro-batch's span, at most. */
const MAX_LINKS = 128;

const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** A partition number that this member holds. */
interface Held {
  readonly task: Task;
  readonly transactor: Transactor;
  /** Records before these are in the log's past already: they move the state, and write nothing. */
  readonly committed: ReadonlyMap<string, number>;
  /** Version of what the store holds; a state rebuilt from the log may be saved from there on. */
  readonly storedVersion: number;
  /** Whether the next save must drop what the store holds of the task. */
  replace: boolean;
  /** Inputs whose output sequences must be looked up in the log before anything is written. */
  readonly resume: Set<string>;
  /** Offsets behind what has been applied, to be committed: at once with outputs, else with those that come. */
  uncommitted: Record<string, number>;
  committedAtMs: number;
  savedAtMs: number;
  saving: Promise<void> | undefined;
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
      inputs: [...this.#held].flatMap(([partition, { task }]) => this.#inputs(partition, task)),
      ledger: [...this.#ledgers].sort(([a], [b]) => a - b).flatMap(([, entries]) => entries),
      ...(stalled === undefined ? {} : { stalled }),
    };
  }

  #inputs(partition: number, task: Task): InputStatus[] {
    const lags = this.#lags.get(partition);
    return task.watermarks().map(({ topic, watermarkUs }) => ({
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
    const written = [...outputs, ...inputs.map(deadLetterTopic), ...inputs.map(lateTopic)];
    const transactor = await this.#insist(partition, 'take the partition over', () => log.transactor(name, partition, inputs, written));
    try {
      return await this.#restore(partition, transactor);
    } catch (error) {
      await transactor.close();
      throw error;
    }
  }

  async batches(batches: readonly LogBatch[]): Promise<void> {
    const { partition } = batches[0]!;
    const held = this.#held.get(partition);
    if (held === undefined) throw new FencedError(`${this.#processor.name}/${partition} had another owner`);
    try {
      await this.#process(held, partition, batches);
    } catch (error) {
      await this.#drop(partition, held);
      if (error instanceof FencedError) this.#sayFenced(partition, error.message);
      else if (!this.#closing.signal.aborted) {
        this.#options.logger.error({ task: held.task.name, topics: batches.map(({ topic }) => topic), err: error }, `${held.task.name} failed and starts afresh from its checkpoint: ${sentence(error)}`);
      }
      throw error;
    }
  }

  async revoked(partition: number): Promise<void> {
    const held = this.#held.get(partition);
    if (held !== undefined) {
      await held.saving;
      try {
        await this.#checkpoint(held, partition);
        await held.saving;
      } catch (error) {
        if (!(error instanceof FencedError)) throw error;
        this.#sayFenced(partition, error.message);
      } finally {
        await this.#drop(partition, held);
      }
    }
    this.#stalls.delete(partition);
    this.#lags.delete(partition);
    if (!this.#closing.signal.aborted) this.#ledgers.delete(partition);
  }

  /** The state as of the last checkpoint, or none; resolves to where to read from. */
  async #restore(partition: number, transactor: Transactor): Promise<Offsets> {
    const { store, logger } = this.#options;
    const committed = new Map(Object.entries(await this.#insist(partition, 'read the committed offsets', () => transactor.committed())));
    let task = new Task(this.#processor, partition, logger);
    const stored = await this.#insist(partition, 'load the checkpoint', async () => {
      const loaded = await store.load(task.name);
      if (loaded !== undefined) await this.#checkOfThisLog(partition, loaded.checkpoint.offsets);
      return loaded;
    });
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
    await this.#insist(partition, 'find out where its inputs begin', async () => {
      for (const topic of this.#processor.inputs) task.begins(topic, (await this.#options.log.firstOffsets(topic))[partition] ?? 0);
    });
    this.#held.set(partition, {
      task,
      transactor,
      committed,
      storedVersion: stored?.checkpoint.version ?? 0,
      replace: !restored,
      resume: new Set(restored ? [] : committed.keys()),
      uncommitted: {},
      committedAtMs: -Infinity,
      savedAtMs: performance.now(),
      saving: undefined,
    });
    this.#ledgers.set(partition, task.ledger());
    logger.info({ task: task.name, offsets: task.offsets, committed: Object.fromEntries(committed) }, `${task.name} assigned`);
    return task.offsets;
  }

  /** The store may hold the checkpoints of another log, one that was deleted since: nothing good would come of them. */
  async #checkOfThisLog(partition: number, offsets: Offsets): Promise<void> {
    for (const [topic, offset] of Object.entries(offsets)) {
      const end = (await this.#options.log.endOffsets(topic))[partition] ?? 0;
      if (offset > end) {
        throw new Error(`the stored checkpoint is at offset ${offset} of ${topic}/${partition}, which ends at ${end}: the state store belongs to another log; empty it, or connect the right one`);
      }
    }
  }

  async #process(held: Held, partition: number, batches: readonly LogBatch[]): Promise<void> {
    const { task } = held;
    const present: LogBatch[] = [];
    for (const batch of batches) {
      const { topic, records, nextOffset } = batch;
      const committed = held.committed.get(topic) ?? 0;
      let live = records.findIndex(({ offset }) => offset >= committed);
      if (live === -1) live = records.length;
      if (live > 0) {
        const past = { topic, records: records.slice(0, live), nextOffset: live < records.length ? committed : nextOffset };
        await task.apply(past, { live: false });
      }
      if (live < records.length) present.push(live === 0 ? batch : { ...batch, records: records.slice(live) });
    }
    if (present.length > 0) await this.#live(held, partition, present, []);
    this.#ledgers.set(partition, task.ledger());
    let lags = this.#lags.get(partition);
    if (lags === undefined) this.#lags.set(partition, (lags = new Map()));
    for (const { topic, highWatermark, nextOffset } of batches) lags.set(topic, Math.max(0, highWatermark - nextOffset));
    if (task.unrepeatable || performance.now() - held.savedAtMs >= this.#checkpointMs) {
      await this.#checkpoint(held, partition);
    }
  }

  /**
   * Applies batches of different topics one after the other, each in a span that lasts until the one commit of them all.
   * Resolves to the seconds that the commit took.
   * @param written outputs of the batches before
   */
  async #live(held: Held, partition: number, batches: readonly LogBatch[], written: readonly NewRecord[]): Promise<number> {
    const [batch, ...others] = batches;
    if (batch === undefined) {
      const startedMs = performance.now();
      if (written.length > 0 || startedMs - held.committedAtMs >= OFFSETS_WAIT_MS) await this.#commit(held, partition, written);
      return (performance.now() - startedMs) / 1_000;
    }
    return this.#spanned(batch, async (traceparent) => {
      const { task } = held;
      const { topic, records, nextOffset } = batch;
      const startedMs = performance.now();
      if (held.resume.delete(topic) && task.mayDiffer(topic)) {
        await this.#insist(partition, 'read what it has written', () => this.#resumeSequences(task, topic));
      }
      const outputs = await task.apply(batch, { live: true, traceparent });
      held.uncommitted[topic] = nextOffset;
      const seconds = (performance.now() - startedMs) / 1_000;
      const commitSeconds = await this.#live(held, partition, others, written.length === 0 ? outputs : [...written, ...outputs]);
      this.#options.telemetry?.batch({
        processor: this.#processor.name,
        topic,
        partition,
        records: records.length,
        outputs,
        results: this.#processor.outputs,
        seconds: seconds + commitSeconds,
        commitSeconds,
        traceparent,
      });
      return commitSeconds;
    });
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

  /** Commits, until it is done or another owner turns up: the partition waits, the outputs stay the same. */
  async #commit(held: Held, partition: number, outputs: readonly NewRecord[]): Promise<void> {
    const offsets = held.uncommitted;
    if (Object.keys(offsets).length === 0) return;
    let first = true;
    await this.#insist(partition, 'commit', async () => {
      if (!first) {
        const committed = await held.transactor.committed();
        if (Object.entries(offsets).every(([topic, offset]) => (committed[topic] ?? 0) >= offset)) return;
      }
      first = false;
      await held.transactor.commit(outputs, offsets);
    });
    held.uncommitted = {};
    held.committedAtMs = performance.now();
  }

  /** Begins to save the state, once nothing that it stands on can be lost. */
  async #checkpoint(held: Held, partition: number): Promise<void> {
    await this.#commit(held, partition, []);
    await this.#insist(partition, 'make sure of its commits', () => held.transactor.complete());
    this.#save(partition, held);
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

  /** Starts to save a checkpoint, unless one is on its way. Only ever of what is committed: called between batches. */
  #save(partition: number, held: Held): void {
    const { task } = held;
    if (held.saving !== undefined || task.version < held.storedVersion) return;
    held.savedAtMs = performance.now();
    const delta = task.checkpoint();
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
          if (accepted || this.#held.get(partition) !== held) return;
          await this.#drop(partition, held);
          this.#sayFenced(partition, `the store holds a newer checkpoint of ${task.name}`);
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
      .finally(() => (held.saving = undefined));
  }

  async #drop(partition: number, held: Held): Promise<void> {
    if (this.#held.get(partition) === held) this.#held.delete(partition);
    await held.transactor.close();
  }

  #sayFenced(partition: number, reason: string): void {
    this.#options.logger.info({ processor: this.#processor.name, partition }, `${this.#processor.name}/${partition} has another owner now: ${reason}`);
  }

  /** Retention dropped part of what the outputs were counted from: the outputs themselves say how far they got. */
  async #resumeSequences(task: Task, input: string): Promise<void> {
    const source = task.source(input);
    const tail = await this.#options.log.tail({
      topics: [...this.#processor.outputs, deadLetterTopic(input)],
      from: 'earliest',
      batch: ({ topic, partition, records }) => {
        if (partition !== task.partition) return;
        for (const { headers } of records) if (headers.source === source) task.resumeSequence(input, topic, headers.sequence);
      },
    });
    await tail.caughtUp();
    await tail.close();
  }
}
