import { join } from 'node:path';
import type { Stage, Verdict } from './case.js';
import { compare } from './comparison.js';
import type { Disturbance } from './disturbance.js';
import { Line } from './line.js';
import { randomOf } from './random.js';
import { Recovery } from './recovery.js';
import { finish, INSTANCES, playAtHalfLoad, reference } from './run.js';

/** Seconds at the end of the input in which nothing is broken any more, for what is broken to recover while data come. */
const QUIET_S = 10;

export interface ChaosOptions {
  /** How long the input lasts at half load. */
  readonly seconds: number;
  readonly disturb: Disturbance;
}

/** Plays the input at half load while something breaks the line, and compares what comes out with the undisturbed run. */
export async function underChaos(stage: Stage, { seconds, disturb }: ChaosOptions): Promise<Verdict> {
  const undisturbed = await reference(stage, seconds);
  const { input, steps } = undisturbed;
  const line = await Line.start({ folder: join(stage.folder, 'line'), plantPath: input.plantPath, source: input.source, instances: INSTANCES });
  try {
    stage.progress(`disturbed run at half load, about ${Math.round((2 * steps) / undisturbed.capacity)} s`);
    const recovery = new Recovery(line);
    const end = new AbortController();
    const failures: string[] = [];
    const disturbing = disturb({ line, recovery, end: end.signal, random: randomOf(stage.seed), failures });
    const playing = playAtHalfLoad(line, undisturbed, (remaining) => remaining < QUIET_S && end.abort()).finally(() => end.abort());
    // Both have to end before the line does.
    const [disturbance, play] = await Promise.allSettled([disturbing, playing]);
    if (disturbance.status === 'rejected') throw disturbance.reason;
    if (play.status === 'rejected') throw play.reason;
    const played = await finish(line, input, steps);
    await recovery.settled();
    const { lost, duplicated, identical, differences } = compare(undisturbed.recording, played.recording);
    for (const [target, worst] of recovery.worst) stage.progress(`${target}: output again within ${worst.toFixed(1)} s`);
    return {
      killed: disturbance.value,
      lost: lost + played.lost,
      duplicated,
      identical,
      ...(recovery.worstS === undefined ? {} : { recovery_s: Math.round(recovery.worstS * 10) / 10 }),
      failures: [...undisturbed.failures.map((each) => `undisturbed: ${each}`), ...played.failures, ...differences, ...recovery.failures, ...failures],
    };
  } finally {
    await line.close();
  }
}
