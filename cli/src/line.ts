import type { SourceStep } from '@millwright/contracts';
import type { EventLog, ProcessorStatus } from '@millwright/streams';

/** A running line: the five services, wherever they run, as a session feeds and watches them. */
export interface Line {
  /** For reading what the services write. */
  readonly log: EventLog;
  /** Addresses that people can use meanwhile, one sentence each. */
  readonly addresses: readonly string[];
  /** Takes a step of the source in; resolves when the log has its data. Several may be under way; order is kept. */
  publish(source: string, step: SourceStep): Promise<void>;
  /** Writes the time reached into the log at once, so that what waits for it goes on. */
  finish(source: string, reachedUs: number): Promise<void>;
  /** Status of every processor of every process. */
  statuses(): Promise<readonly ProcessorStatus[]>;
  /** Resolves with a sentence when the line can't go on (a process died). */
  readonly failed: Promise<string>;
  close(): Promise<void>;
}

/** Lets calls begin only when the one before has ended, in the order of the calls; one that fails does not hold up the next. */
export function inTurn<A extends unknown[], R>(call: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
  let last: Promise<unknown> = Promise.resolve();
  return (...args) => {
    const next = last.then(() => call(...args));
    last = next.catch(() => undefined);
    return next;
  };
}
