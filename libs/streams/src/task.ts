import { DEAD_LETTER_SCHEMA, WATERMARK_SCHEMA, Watermark, deadLetterTopic, lateTopic } from '@millwright/contracts';
import { deadLetter, deadLetterKey } from './dead-letter.js';
import { Input, type InputSnapshot } from './input.js';
import { PoisonRecordError, type AnyProcessor, type Context, type Emission } from './processor.js';
import { WATERMARK_KEY, type LogRecord, type NewRecord, type RecordHeaders } from './record.js';
import type { LedgerEntry, RuntimeLogger } from './runtime.js';
import { taskName, type Checkpoint, type CheckpointDelta } from './state.js';

/** Version of the `system` part of checkpoints. */
const SYSTEM_VERSION = 1;

interface SystemSnapshot {
  readonly version: number;
  /** Watermark that the output topics have been given; null before the first. */
  readonly forwardedUs: number | null;
  readonly inputs: readonly InputSnapshot[];
}

/** Checkpoint of a task that has read nothing yet: for state that comes from elsewhere, such as a backup. */
export function emptyCheckpoint(stateVersion: number): Checkpoint {
  const system: SystemSnapshot = { version: SYSTEM_VERSION, forwardedUs: null, inputs: [] };
  return { stateVersion, version: 0, offsets: {}, system: Buffer.from(JSON.stringify(system)) };
}

/** Records of one input topic, in offset order. */
export interface TaskBatch {
  readonly topic: string;
  readonly records: readonly LogRecord[];
  readonly nextOffset: number;
}

/** How a batch is applied. */
export interface ApplyMode {
  /** Whether outputs are wanted; without, only the state and the counts move (silent re-application). */
  readonly live: boolean;
  /** W3C trace context for the outputs. */
  readonly traceparent?: string | undefined;
}

/** Outputs of one record, timer or watermark, in the order of the log; a promised one is filled in when it is kept. */
type Slot =
  | { readonly kind: 'emissions'; readonly of: LogRecord | undefined; readonly late: boolean; emissions: readonly Emission[]; error?: unknown }
  | { readonly kind: 'deadLetter'; readonly record: LogRecord; readonly error: unknown }
  | { readonly kind: 'late'; readonly record: LogRecord; readonly reason: string }
  | { readonly kind: 'watermark'; readonly timeUs: number };

/** Where a processor's call stands; one object per task, moved along. */
class TaskContext implements Context {
  key = '';
  topic = '';
  watermarkUs = -Infinity;
  lateExtent: 'whole' | 'part' | undefined;
  lateReason = '';
  forgotten = false;
  isLive = true;
  readonly partition: number;
  readonly #setTimer: (timeUs: number) => void;

  constructor(partition: number, setTimer: (timeUs: number) => void) {
    this.partition = partition;
    this.#setTimer = setTimer;
  }

  begin(key: string, input: Input): void {
    this.key = key;
    this.topic = input.topic;
    this.watermarkUs = input.watermarkUs;
    this.lateExtent = undefined;
    this.forgotten = false;
  }

  setTimer(timeUs: number): void {
    if (Number.isNaN(timeUs)) throw new Error(`setTimer of ${this.key}: the time is not a number`);
    this.#setTimer(timeUs);
  }

  late(reason: string, extent: 'whole' | 'part' = 'whole'): void {
    if (this.lateExtent !== 'whole') this.lateExtent = extent;
    this.lateReason = reason;
  }

  forget(): void {
    this.forgotten = true;
  }
}

const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function isPromise(result: readonly Emission[] | Promise<readonly Emission[]>): result is Promise<readonly Emission[]> {
  return 'then' in result;
}

/** A state that a record has begun, and whether one of the same key was to be deleted in the store. */
interface Begun {
  readonly key: string;
  readonly wasDeleted: boolean;
}

/**
 * One processor on one partition number: keyed state, loss ledger, sequences, watermarks and timers, moved by records
 * alone. No I/O; the same records give the same outputs, however they come in batches.
 */
export class Task {
  readonly name: string;
  readonly partition: number;
  readonly #processor: AnyProcessor;
  readonly #logger: RuntimeLogger | undefined;
  readonly #inputs: Map<string, Input>;
  readonly #states = new Map<string, unknown>();
  readonly #dirty = new Set<string>();
  readonly #deleted = new Set<string>();
  readonly #context: TaskContext;
  #forwardedUs = -Infinity;
  #unrepeatable = false;
  #restored = false;
  /** State that the present record has begun, if it has. */
  #begun: Begun | undefined;
  #current: Input;
  /** Due time of the timer that is being handled. */
  #firingUs = -Infinity;
  readonly #deferred = new Map<string, number>();

  constructor(processor: AnyProcessor, partition: number, logger?: RuntimeLogger) {
    this.name = taskName(processor.name, partition);
    this.partition = partition;
    this.#processor = processor;
    this.#logger = logger;
    this.#inputs = new Map(processor.inputs.map((topic) => [topic, new Input(topic)]));
    const [first] = this.#inputs.values();
    if (first === undefined) throw new Error(`processor ${processor.name} has no inputs`);
    this.#current = first;
    this.#context = new TaskContext(partition, (timeUs) => this.#setTimer(timeUs));
  }

  /** Next offset to apply, by topic. */
  get offsets(): Record<string, number> {
    return Object.fromEntries([...this.#inputs.values()].map(({ topic, offset }) => [topic, offset]));
  }

  /** Grows with every record; see Checkpoint.version. Offsets, so that a state rebuilt from a trimmed log gets no older. */
  get version(): number {
    let version = 0;
    for (const { offset } of this.#inputs.values()) version += offset;
    return version;
  }

  /** Whether an outcome was seen that applying the records again may not repeat (a promise broken): time for a checkpoint. */
  get unrepeatable(): boolean {
    return this.#unrepeatable;
  }

  ledger(): LedgerEntry[] {
    return [...this.#inputs.values()].map((input) => input.ledger(this.partition));
  }

  /** Event time that each input has reached, microseconds. */
  watermarks(): { readonly topic: string; readonly watermarkUs: number | undefined }[] {
    return [...this.#inputs.values()].map(({ topic, watermarkUs }) => ({ topic, watermarkUs: watermarkUs === -Infinity ? undefined : watermarkUs }));
  }

  /** Source name of what the task derives from an input. One an input, so that sequences don't depend on how inputs interleave. */
  source(input: string): string {
    return `${this.name}/${input}`;
  }

  /** Tells at which offset an input begins: records before it that this state has not seen are gone by retention, not lost. */
  begins(topic: string, first: number): void {
    const input = this.#inputs.get(topic);
    if (input !== undefined && input.offset < first) input.trimmed = true;
  }

  /**
   * Whether this state may stand on something else than what it has written so far did: retention had dropped records of an input, or the
   * state was rebuilt from the log, perhaps by another plant file or release than wrote the outputs.
   */
  mayDiffer(input: string): boolean {
    return !this.#restored || (this.#inputs.get(input)?.trimmed ?? false);
  }

  /** Goes on counting where the log says this task had been, however far this state has counted. */
  resumeSequence(input: string, output: string, sequence: number): void {
    this.#inputs.get(input)?.written.set(output, sequence);
  }

  /**
   * Applies a batch and returns what to write, in order: at once when the processor answered at once, else a promise.
   * The next batch must wait for it.
   */
  apply(batch: TaskBatch, mode: ApplyMode): readonly NewRecord[] | Promise<readonly NewRecord[]> {
    const input = this.#inputs.get(batch.topic);
    if (input === undefined) throw new Error(`${this.name} does not read ${batch.topic}`);
    this.#current = input;
    this.#context.isLive = mode.live;
    const slots: Slot[] = [];
    const promised: Promise<void>[] = [];
    for (const record of batch.records) {
      if (record.headers.schema === WATERMARK_SCHEMA) this.#onWatermark(record, input, slots, promised);
      else this.#onRecord(record, input, slots, promised);
    }
    input.offset = Math.max(input.offset, batch.nextOffset);
    return promised.length === 0 ? this.#finish(slots, input, mode) : Promise.all(promised).then(() => this.#finish(slots, input, mode));
  }

  /** What changed since the last; it counts as saved unless unsaved() says otherwise. */
  checkpoint(): CheckpointDelta {
    const system: SystemSnapshot = {
      version: SYSTEM_VERSION,
      forwardedUs: Number.isFinite(this.#forwardedUs) ? this.#forwardedUs : null,
      inputs: [...this.#inputs.values()].map((input) => input.snapshot()),
    };
    const { codec, stateVersion } = this.#processor;
    const changed = new Map<string, Uint8Array>();
    for (const key of this.#dirty) changed.set(key, codec.encode(this.#states.get(key)));
    const deleted = [...this.#deleted];
    this.#dirty.clear();
    this.#deleted.clear();
    this.#unrepeatable = false;
    return { stateVersion, version: this.version, offsets: this.offsets, system: Buffer.from(JSON.stringify(system)), changed, deleted };
  }

  /** The checkpoint could not be saved: its changes go into the next. */
  unsaved({ changed, deleted }: CheckpointDelta): void {
    for (const key of [...changed.keys(), ...deleted]) {
      if (this.#states.has(key)) this.#dirty.add(key);
      else this.#deleted.add(key);
    }
  }

  /** The store has lost what it had of the task: the next checkpoint holds everything. */
  allUnsaved(): void {
    for (const key of this.#states.keys()) this.#dirty.add(key);
  }

  /** Takes the state of a checkpoint; only for a new task. @throws Error with one sentence when it can't be read. */
  restore(checkpoint: Checkpoint, entries: ReadonlyMap<string, Uint8Array>): void {
    const system = JSON.parse(Buffer.from(checkpoint.system).toString()) as SystemSnapshot;
    if (system.version !== SYSTEM_VERSION) {
      throw new Error(`checkpoint of ${this.name} has format ${system.version}, this version reads ${SYSTEM_VERSION}`);
    }
    this.#forwardedUs = system.forwardedUs ?? -Infinity;
    for (const snapshot of system.inputs) this.#inputs.get(snapshot.topic)?.restore(snapshot);
    for (const [key, bytes] of entries) this.#states.set(key, this.#processor.codec.decode(bytes, checkpoint.stateVersion));
    this.#restored = true;
  }

  #onRecord(record: LogRecord, input: Input, slots: Slot[], promised: Promise<void>[]): void {
    input.in++;
    if (!input.isNew(record)) {
      input.repeated++;
      return;
    }
    const context = this.#context;
    context.begin(record.key, input);
    this.#begun = undefined;
    let result: readonly Emission[] | Promise<readonly Emission[]>;
    try {
      input.admission.check(record);
      const message: unknown = this.#processor.decode(record);
      result = this.#processor.onRecord(message, this.#state(record.key), context, record);
    } catch (error) {
      // Made-up keys must not fill the memory: what was begun for this record alone goes with it.
      this.#undoBegun();
      slots.push({ kind: 'deadLetter', record, error });
      return;
    }
    if (context.forgotten) this.#forget(record.key);
    if (context.lateExtent !== undefined) slots.push({ kind: 'late', record, reason: context.lateReason });
    this.#collect(result, record, context.lateExtent === 'whole', slots, promised);
  }

  #onWatermark(record: LogRecord, input: Input, slots: Slot[], promised: Promise<void>[]): void {
    let timeUs: number;
    let last: boolean;
    try {
      ({ timeUs, last } = Watermark.decode(record.value));
    } catch (error) {
      input.in++;
      slots.push({ kind: 'deadLetter', record, error: new PoisonRecordError(`not a watermark: ${sentence(error)}`, { cause: error }) });
      return;
    }
    input.watermarks++;
    if (!input.advance(record.headers.source, timeUs, last)) return;
    this.#fireTimers(input, slots, promised);
    // Of all inputs, also those that no watermark has come from yet: what they have still to give may be older than what the others have reached.
    const leastUs = Math.min(...[...this.#inputs.values()].map(({ doneUs }) => doneUs));
    if (leastUs > this.#forwardedUs) {
      this.#forwardedUs = leastUs;
      slots.push({ kind: 'watermark', timeUs: leastUs });
    }
  }

  #fireTimers(input: Input, slots: Slot[], promised: Promise<void>[]): void {
    const { timers, watermarkUs } = input;
    for (let due = timers.take(watermarkUs); due !== undefined; due = timers.take(watermarkUs)) {
      this.#context.begin(due.key, input);
      this.#firingUs = due.timeUs;
      try {
        const result = this.#processor.onTimer?.(due.timeUs, this.#state(due.key), this.#context) ?? [];
        if (this.#context.forgotten) this.#forget(due.key);
        this.#collect(result, undefined, false, slots, promised);
      } catch (error) {
        this.#timerFailed(due.key, error);
      }
    }
    this.#firingUs = -Infinity;
    for (const [key, timeUs] of this.#deferred) timers.set(key, timeUs);
    this.#deferred.clear();
  }

  #timerFailed(key: string, error: unknown): void {
    this.#logger?.error({ task: this.name, key, err: error }, `a timer of ${key} failed in ${this.name} and had no effect: ${sentence(error)}`);
  }

  /** A timer that a timer sets for its own time or earlier waits for the next watermark, or it would fire for ever. */
  #setTimer(timeUs: number): void {
    const { key } = this.#context;
    this.#deferred.delete(key);
    if (timeUs <= this.#firingUs) {
      this.#current.timers.set(key, Infinity);
      this.#deferred.set(key, timeUs);
    } else this.#current.timers.set(key, timeUs);
  }

  #state(key: string): unknown {
    let state = this.#states.get(key);
    if (state === undefined) {
      state = this.#processor.initial(key);
      this.#states.set(key, state);
      this.#begun = { key, wasDeleted: this.#deleted.delete(key) };
    }
    this.#dirty.add(key);
    return state;
  }

  /** As if no state had been begun: the store knows nothing of it, unless one of the same key is to be deleted there. */
  #undoBegun(): void {
    if (this.#begun === undefined) return;
    const { key, wasDeleted } = this.#begun;
    this.#forget(key);
    if (!wasDeleted) this.#deleted.delete(key);
  }

  #forget(key: string): void {
    this.#states.delete(key);
    this.#dirty.delete(key);
    this.#deleted.add(key);
    this.#deferred.delete(key);
    for (const { timers } of this.#inputs.values()) timers.set(key, Infinity);
  }

  #collect(result: readonly Emission[] | Promise<readonly Emission[]>, of: LogRecord | undefined, late: boolean, slots: Slot[], promised: Promise<void>[]): void {
    if (!isPromise(result)) {
      if (of !== undefined) this.#count(late);
      if (result.length > 0) slots.push({ kind: 'emissions', of: undefined, late, emissions: result });
      return;
    }
    const slot: Slot = { kind: 'emissions', of, late, emissions: [] };
    slots.push(slot);
    const { key } = this.#context;
    promised.push(
      result.then(
        (emissions) => {
          slot.emissions = emissions;
        },
        (error: unknown) => {
          this.#unrepeatable = true;
          if (of === undefined) this.#timerFailed(key, error);
          else slot.error = error ?? new Error('the processor gave no reason');
        },
      ),
    );
  }

  #count(late: boolean): void {
    if (late) this.#current.late++;
    else this.#current.processed++;
  }

  /** Numbers the outputs, which only now stand in their order, and completes the ledger. */
  #finish(slots: readonly Slot[], input: Input, { live, traceparent }: ApplyMode): readonly NewRecord[] {
    const outputs: NewRecord[] = [];
    const lateReasons = new Map<string, number>();
    const source = this.source(input.topic);
    const headers = (schema: string, sequence: number): RecordHeaders =>
      traceparent === undefined ? { schema, source, sequence } : { schema, source, sequence, traceparent };
    for (const slot of slots) {
      if (slot.kind === 'emissions' && slot.error === undefined) {
        if (slot.of !== undefined) this.#count(slot.late);
        for (const { topic, key, value, timeMs, schema } of slot.emissions) {
          const sequence = input.nextSequence(topic);
          if (live) outputs.push({ topic, partition: this.partition, key, value, timeMs, headers: headers(schema, sequence) });
        }
      } else if (slot.kind === 'late') {
        if (!live) continue;
        lateReasons.set(slot.reason, (lateReasons.get(slot.reason) ?? 0) + 1);
        outputs.push({ ...withoutOffset(slot.record), topic: lateTopic(input.topic) });
      } else if (slot.kind === 'watermark') {
        if (live) outputs.push(...this.#watermarks(slot.timeUs, traceparent));
      } else {
        const record = slot.kind === 'deadLetter' ? slot.record : (slot.of as LogRecord);
        input.deadLettered++;
        const topic = deadLetterTopic(input.topic);
        const sequence = input.nextSequence(topic);
        if (!live) continue;
        this.#logDeadLetter(record, slot.error);
        outputs.push({
          topic,
          partition: this.partition,
          key: deadLetterKey(record),
          value: deadLetter(record, this.#processor.name, sentence(slot.error)),
          timeMs: record.timeMs,
          headers: headers(DEAD_LETTER_SCHEMA, sequence),
        });
      }
    }
    if (lateReasons.size > 0) {
      this.#logger?.warn({ task: this.name, topic: input.topic, reasons: Object.fromEntries(lateReasons) }, `late records of ${input.topic} went to ${lateTopic(input.topic)}`);
    }
    return outputs;
  }

  /** They carry the trace on, since alarms with a delay are raised by time. */
  #watermarks(timeUs: number, traceparent: string | undefined): NewRecord[] {
    const value = Watermark.encode({ timeUs, last: false }).finish();
    const headers = { schema: WATERMARK_SCHEMA, source: this.name, sequence: 0, ...(traceparent === undefined ? {} : { traceparent }) };
    return this.#processor.outputs.map((topic) => ({
      topic,
      partition: this.partition,
      key: WATERMARK_KEY,
      value,
      timeMs: Math.floor(timeUs / 1_000),
      headers,
    }));
  }

  #logDeadLetter({ topic, partition, offset, key }: LogRecord, error: unknown): void {
    const fields = { task: this.name, topic, partition, offset, key };
    const message = `record ${topic}/${partition}@${offset} of ${key.slice(0, 200)} goes to the dead letters: ${sentence(error)}`;
    if (error instanceof PoisonRecordError) this.#logger?.warn(fields, message);
    else this.#logger?.error({ ...fields, err: error }, message);
  }
}

function withoutOffset({ topic, partition, key, value, timeMs, headers }: LogRecord): NewRecord {
  return { topic, partition, key, value, timeMs, headers };
}
