import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster } from 'kafkajs';
import { mayPass } from './errors.js';

/** Retries for about half a minute, which a broker's restart takes less than. */
export const PATIENT = { initialRetryTime: 50, maxRetryTime: 1_000, retries: 30 };

/**
 * Asks until there is an answer: leaders and coordinators move, and brokers restart.
 * @param alsoPasses whether an error passes that others do not get over
 */
export async function patiently<T>(question: () => Promise<T>, alsoPasses: (error: unknown) => boolean = () => false, beforeNext?: () => Promise<void>): Promise<T> {
  for (let tries = 0, delay = PATIENT.initialRetryTime; ; tries++, delay = Math.min(2 * delay, PATIENT.maxRetryTime)) {
    try {
      return await question();
    } catch (error) {
      if (tries >= PATIENT.retries || !(mayPass(error) || alsoPasses(error))) throw error;
      await pause(delay);
      await beforeNext?.();
    }
  }
}

/** The same of a cluster, which is connected where it is not, and asked for its leaders before the next try. */
export function ask<T>(cluster: Cluster, question: () => Promise<T>, alsoPasses?: (error: unknown) => boolean): Promise<T> {
  return patiently(
    async () => {
      if (!cluster.isConnected()) await cluster.connect();
      return question();
    },
    alsoPasses,
    // When this fails too, the next try tells.
    () => cluster.refreshMetadata().catch(() => undefined),
  );
}
