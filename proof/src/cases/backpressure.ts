import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { TelemetryBlock, type SourceStep } from '@millwright/contracts';
import type { Case, Stage, Verdict } from '../case.js';
import { goesOn } from '../goes-on.js';
import { compare } from '../comparison.js';
import { Line } from '../line.js';
import { growth, residentMiB, SLACK_MIB } from '../memory.js';
import { finish, INSTANCES, part, reference } from '../run.js';

/** How long Kafka takes nothing, and how long it then works. */
const [HELD_MS, WORKING_MS] = [10_000, 6_000] as const;
/** What ingestion may have taken in that the log has not yet: an instance's bound, set low so that it is reached soon. */
const INTAKE_BYTES = 1_048_576;
/** What the publisher may have sent that is not acknowledged. */
const PUBLISHER_BYTES = 8 * 1_048_576;
/** What lies in sockets and gRPC's windows, beside. */
const UNDER_WAY_BYTES = 4 * 1_048_576;

/** The log stands still while input comes at twice the speed that the line can hold. */
export const backpressure: Case = {
  name: 'backpressure',
  claim: 'while Kafka stands still and input comes at twice the capacity the sender is slowed down: no memory grows, nothing is lost, doubled or changed',
  async run(stage: Stage): Promise<Verdict> {
    const undisturbed = await reference(stage, Math.max(120, part(stage)));
    const { input, steps, capacity } = undisturbed;
    const line = await Line.start({ folder: join(stage.folder, 'line'), plantPath: input.plantPath, source: input.source, instances: INSTANCES, settings: { MILLWRIGHT_INTAKE_BYTES: String(INTAKE_BYTES) } });
    const failures: string[] = [];
    const samples: Map<string, number>[] = [];
    let published = 0;
    let publishedBytes = 0;
    let killed = 0;
    let isHeld = false;
    try {
      const end = new AbortController();
      const holding = (async () => {
        while (await goesOn(WORKING_MS, end.signal)) {
          const before = await residentMiB(line);
          const [stepsBefore, bytesBefore] = [published, publishedBytes];
          await line.kafka.kill('SIGSTOP');
          isHeld = true;
          killed++;
          try {
            for (const until = performance.now() + HELD_MS; performance.now() < until; await pause(500)) samples.push(await residentMiB(line));
          } finally {
            await line.kafka.kill('SIGCONT');
            isHeld = false;
          }
          const taken = publishedBytes - bytesBefore;
          const bound = PUBLISHER_BYTES + INSTANCES * INTAKE_BYTES + UNDER_WAY_BYTES;
          stage.progress(`Kafka held up for ${HELD_MS / 1000} s: ${published - stepsBefore} steps (${(taken / 1e6).toFixed(1)} MB) were taken from the sender meanwhile`);
          if (taken > bound) failures.push(`the sender got rid of ${(taken / 1e6).toFixed(1)} MB while Kafka was held up; bounds on the way add up to ${(bound / 1e6).toFixed(1)} MB`);
          for (const [name, mib] of samples.at(-1)!) {
            const first = before.get(name) ?? mib;
            if (mib > first + SLACK_MIB) failures.push(`${name} grew from ${first.toFixed(0)} to ${mib.toFixed(0)} MiB while Kafka was held up`);
          }
        }
      })();
      const began = performance.now();
      try {
        for (const step of input.steps(steps)) {
          const wait = began + (++published / (2 * capacity)) * 1000 - performance.now();
          // While Kafka is held up the sender sends as much as is taken from it.
          if (wait > 1 && !isHeld) await pause(wait);
          await line.publish(step);
          publishedBytes += sizeOf(step);
          if (line.failures.length > 0) throw new Error(line.failures[0]);
        }
      } finally {
        // Both have to end before the line does.
        end.abort();
        await holding;
      }
      const played = await finish(line, input, steps);
      if (killed === 0) failures.push(`the input was played before Kafka was held up once; let the case go on for longer`);
      const { lost, duplicated, identical, differences } = compare(undisturbed.recording, played.recording);
      return { killed, lost: lost + played.lost, duplicated, identical, failures: [...undisturbed.failures, ...played.failures, ...differences, ...growth(samples), ...failures] };
    } finally {
      await line.close();
    }
  },
};

const sizeOf = ({ blocks }: SourceStep): number => blocks.reduce((sum, block) => sum + TelemetryBlock.encode(block).finish().length, 0);
