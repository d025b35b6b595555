import type { LogRecord } from './record.js';

/** What a processor publishes. Partition, source and sequence are the runtime's to fill in. */
export interface Emission {
  readonly topic: string;
  readonly key: string;
  /** Encoded message. */
  readonly value: Uint8Array;
  /** Event time, milliseconds since the Unix epoch. */
  readonly timeMs: number;
  readonly schema: string;
}

/** What the runtime offers while a record, timer or watermark is handled. */
export interface Context {
  /** Asset (record key) whose state is at hand. */
  readonly key: string;
  readonly partition: number;
  /** The input topic that the record came from, or that the timer belongs to. */
  readonly topic: string;
  /** Event time that this input topic's watermark has reached, microseconds; -Infinity before the first. */
  readonly watermarkUs: number;
  /**
   * False while a state is rebuilt from records whose outputs are in the log already: how many are emitted counts, and their values go
   * nowhere, so that what nothing but a value needs may be left out. The state may not depend on it.
   */
  readonly isLive: boolean;
  /**
   * Asks for onTimer(key) when the watermark of the present input topic reaches `timeUs`.
   * One timer per (key, input topic): a later call replaces an earlier one; Infinity removes it. Survives restarts.
   * Where the watermark is past `timeUs` already, it fires as the watermark next moves (from onTimer: in the same pass, if
   * later than the timer being handled).
   */
  setTimer(timeUs: number): void;
  /**
   * Declares the present record, or a part of it, too late to be used: it goes to `<topic>.late` and into the ledger.
   * A record declared late as a whole (the default) counts as late, not as processed; one that is late in part was used
   * for the rest and counts as processed.
   */
  late(reason: string, extent?: 'whole' | 'part'): void;
  /** Drops the state of this key after this call (an asset that is no more). */
  forget(): void;
}

/** Turns state into bytes and back. */
export interface StateCodec<S> {
  encode(state: S): Uint8Array;
  /** @throws Error with one clear sentence when `version` is not one it can migrate. */
  decode(bytes: Uint8Array, version: number): S;
}

/** Thrown by decode or onRecord for a record that can never be processed: the runtime sends it to the DLQ and goes on. */
export class PoisonRecordError extends Error {
  override readonly name = 'PoisonRecordError';
}

/**
 * A pure, deterministic stream processor. It does no I/O, reads no clock and draws no random numbers; what it returns
 * depends on the records of each key, in log order, and on nothing else: not on how they were batched, nor on how records
 * of different input topics were interleaved (keep apart what is derived from each, or make it commute).
 *
 * @typeParam M decoded message of the input topics
 * @typeParam S state of one key
 */
export interface Processor<M, S> {
  /** Consumer group, task and source name: lower-case, stable for ever. */
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly stateVersion: number;
  readonly codec: StateCodec<S>;
  /** Decodes a value. @throws when it is not a valid message; the record goes to the DLQ. */
  decode(record: LogRecord): M;
  /** State of a key seen for the first time. */
  initial(key: string): S;
  /**
   * Handles one record: changes `state` in place and returns what to publish. State changes happen before it returns;
   * a promise may stand for outputs that take a while to compute (inference), so that many records are under way together.
   * Throws before touching the state, or not at all.
   */
  onRecord(message: M, state: S, context: Context, record: LogRecord): readonly Emission[] | Promise<readonly Emission[]>;
  /** The watermark of an input reached the time asked for by setTimer. */
  onTimer?(timeUs: number, state: S, context: Context): readonly Emission[] | Promise<readonly Emission[]>;
}

/** A processor of any message and state, as the runtime holds it. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- M and S are both consumed and produced, so no narrower type admits all processors.
export type AnyProcessor = Processor<any, any>;
