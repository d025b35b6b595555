import { setTimeout as delay } from 'node:timers/promises';

/** Waits; resolves to false as soon as `end` aborts. */
export function goesOn(ms: number, end: AbortSignal): Promise<boolean> {
  return delay(ms, true, { signal: end }).catch(() => false);
}
