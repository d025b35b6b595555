import { setTimeout as delay } from 'node:timers/promises';
import { TOPICS } from '@millwright/contracts';
import type { ProcessorStatus } from '@millwright/streams';

/** Inputs of the processors that carry event time, as `<processor> <topic>`. */
const TIMED: readonly string[] = [
  `features ${TOPICS.telemetry.name}`,
  `inference ${TOPICS.features.name}`,
  `inference-drift ${TOPICS.features.name}`,
  `inference-drift ${TOPICS.inferences.name}`,
  `quality ${TOPICS.features.name}`,
  `quality ${TOPICS.production.name}`,
  `alerting ${TOPICS.inferences.name}`,
  `alerting ${TOPICS.quality.name}`,
];

const PATIENCE_MS = 300_000;
const POLL_MS = 50;

/**
 * Resolves when every processor has reached event time `timeUs` in every partition of its inputs: all before it is done with. Asked of the
 * processors themselves, who also say which of them gets no further.
 * @throws when that does not get on for long.
 */
export async function untilReached(statuses: () => Promise<readonly ProcessorStatus[]>, partitions: number, timeUs: number): Promise<void> {
  let best = -1;
  for (let since = performance.now(); ; await delay(POLL_MS)) {
    const reached = await places(statuses, timeUs);
    if (reached.size === TIMED.length * partitions) return;
    if (reached.size !== best) {
      best = reached.size;
      since = performance.now();
    }
    if (performance.now() - since > PATIENCE_MS) {
      const missing = TIMED.flatMap((input) => Array.from({ length: partitions }, (_, partition) => `${input}/${partition}`)).filter((place) => !reached.has(place));
      throw new Error(`Event time stands still for ${PATIENCE_MS / 1000} s: not all is done with by ${missing.join(', ')}.`);
    }
  }
}

async function places(statuses: () => Promise<readonly ProcessorStatus[]>, timeUs: number): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const { processor, inputs } of await statuses()) {
    for (const { topic, partition, watermarkUs } of inputs) {
      if (TIMED.includes(`${processor} ${topic}`) && watermarkUs !== undefined && watermarkUs >= timeUs) found.add(`${processor} ${topic}/${partition}`);
    }
  }
  return found;
}
