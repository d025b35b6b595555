import { join } from 'node:path';
import { SERVICES } from '@millwright/cli/service-process';
import type { Stage, Verdict } from './case.js';
import { compare } from './comparison.js';
import { goesOn } from './goes-on.js';
import { Line, type Member } from './line.js';
import { randomOf } from './random.js';
import { Recovery, type Target } from './recovery.js';
import { finish, INSTANCES, playAtHalfLoad, reference } from './run.js';

/** Milliseconds between two kills. */
const PAUSE_MS = [3_000, 10_000] as const;

/** Seconds at the end of the input in which nothing is broken any more, for what is broken to recover while data come. */
const QUIET_S = 10;

/** What a disturbance works on. */
export interface Scene {
  readonly line: Line;
  readonly recovery: Recovery;
  /** Aborts when it is to stop. */
  readonly end: AbortSignal;
  /** From 0 to below 1, by the seed. */
  readonly random: () => number;
  /** For what does not hold, a sentence each. */
  readonly failures: string[];
}

/** Something that goes on while the input plays; resolves to how often it broke something. */
export type Disturbance = (scene: Scene) => Promise<number>;

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

/** Kills the targets with -9, first in turn, then at random, every three to ten seconds. */
export function killing(targets: readonly Target[]): Disturbance {
  return async ({ line, recovery, end, random }) => {
    const turns = new Map<Target, number>();
    let killed = 0;
    for (;;) {
      if (!(await goesOn(PAUSE_MS[0] + random() * (PAUSE_MS[1] - PAUSE_MS[0]), end))) return killed;
      // One by one to begin with, so that each is killed at least once.
      const target = targets[killed] ?? targets[Math.floor(random() * targets.length)]!;
      const turn = turns.get(target) ?? 0;
      turns.set(target, turn + 1);
      if (await kill(line, recovery, target, turn)) killed++;
    }
  };
}

/** Resolves to whether there was something to kill: all processes of a service may be on their way up. */
async function kill(line: Line, recovery: Recovery, target: Target, turn: number): Promise<boolean> {
  switch (target) {
    case 'Kafka': {
      await line.kafka.kill('SIGKILL');
      recovery.serverKilled(target, Date.now());
      await line.kafka.restart();
      return true;
    }
    case 'Redis': {
      await line.redis.kill('SIGKILL');
      recovery.serverKilled(target, Date.now());
      await line.redis.restart();
      return true;
    }
    default: {
      const members = line.members.filter(({ service }) => service === target);
      const ready = members.filter(({ isReady }) => isReady);
      const member = ready[turn % Math.max(1, ready.length)];
      if (member === undefined) return false;
      const partitions = await assignment(member);
      const atMs = Date.now();
      await line.kill(member);
      recovery.serviceKilled(target, partitions, atMs);
      return true;
    }
  }
}

async function assignment(member: Member): Promise<readonly number[]> {
  const statuses = await member.process.status();
  return statuses.flatMap(({ assignment: partitions }) => partitions);
}

export const ALL_SERVICES: readonly Target[] = SERVICES;
