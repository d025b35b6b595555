import { createRequire } from 'node:module';

interface RequestQueue {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
}

interface RequestQueueClass {
  readonly prototype: { scheduleCheckPendingRequests(this: RequestQueue): void };
}

/**
 * kafkajs 2.2.4 asks itself after every request when to look at its pending requests again, also when there are none, and takes
 * `throttledUntil - now` for the delay, which is far below zero when the broker does not throttle: each connection then wakes up
 * about a thousand times a second for ever, and Node prints a TimeoutNegativeWarning (kafkajs#1751, no release mends it).
 * There is something to wait for only when requests are pending, and only then is the original asked.
 */
export function stopIdleTimer(): void {
  const { prototype } = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as RequestQueueClass;
  if (Object.hasOwn(prototype, PATCHED)) return;
  Object.defineProperty(prototype, PATCHED, { value: true });
  const original = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    if (this.pending.length > 0) original.call(this);
  };
}

const PATCHED = Symbol.for('millwright.kafkajs.idle-timer');
