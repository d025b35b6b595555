import { setTimeout } from 'node:timers/promises';
import type { Source, SourceStep } from '@millwright/contracts';

/** What pace() needs of time. */
export interface Clock {
  /** Milliseconds from any fixed moment; never goes back. */
  now(): number;
  /** Resolves after so many milliseconds, or at once when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: async (ms, signal) => {
    try {
      await setTimeout(ms, undefined, signal ? { signal } : {});
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    }
  },
};

/**
 * The steps of a source when they are due: `speed` seconds of event time per second, or as fast as they are taken with 'max'.
 * Every step is timed from the first, so that delays do not add up: after a delay it catches up. Ends when the signal aborts.
 */
export async function* pace(
  source: Source,
  speed: number | 'max',
  { signal, clock = systemClock }: { readonly signal?: AbortSignal; readonly clock?: Clock } = {},
): AsyncGenerator<SourceStep> {
  let origin: { readonly atMs: number; readonly eventUs: number } | undefined;
  const aborted = (): boolean => signal?.aborted === true;
  while (!aborted()) {
    const step = await source.next();
    if (step === undefined) return;
    if (speed !== 'max') {
      origin ??= { atMs: clock.now(), eventUs: step.advanceToUs };
      const waitMs = origin.atMs + (step.advanceToUs - origin.eventUs) / 1000 / speed - clock.now();
      if (waitMs > 0) await clock.sleep(waitMs, signal);
      if (aborted()) return;
    }
    yield step;
  }
}
