import { SERVICES } from '@millwright/cli/service-process';
import type { Disturbance } from './disturbance.js';
import { goesOn } from './goes-on.js';
import type { Line, Member } from './line.js';
import type { Recovery, Target } from './recovery.js';

/** Milliseconds between two kills. */
const PAUSE_MS = [3_000, 10_000] as const;

export const ALL_SERVICES: readonly Target[] = SERVICES;

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
