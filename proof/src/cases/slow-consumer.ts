import type { Case } from '../case.js';
import { goesOn, underChaos, type Disturbance } from '../chaos.js';
import { TOPICS } from '@millwright/contracts';
import { residentMiB } from '../memory.js';
import { part } from '../run.js';

/** Of each turn: held up, and going. Short enough that the group does not take it for dead. */
const [HELD_MS, GOING_MS] = [2_500, 100] as const;
/** So much more than at first a process may take, MiB. */
const SLACK_MIB = 128;
/** Longer than the group waits for a sign of life: the instance finds its partitions gone when it goes on. */
const ABSENT_MS = 25_000;

/** One instance of features that can't keep up, and then one that is held up for so long that others take its place. */
export const slowConsumer: Case = {
  name: 'slow-consumer',
  claim: 'an instance that is slow, or held up until others have taken its place, gets behind and catches up: no memory grows, nothing is lost, doubled or changed',
  run: (stage) => underChaos(stage, { seconds: Math.max(120, part(stage)), disturb: holdingUp }),
};

const holdingUp: Disturbance = async ({ line, end, failures }) => {
  const slow = line.members.find(({ service }) => service === 'features')!;
  const lag = (): Promise<number> => line.outputs.lag('features', TOPICS.telemetry.name);
  if (!(await goesOn(10_000, end))) return 0;
  const before = await residentMiB(line);
  const most = new Map(before);
  const lagBefore = await lag();
  const look = async (): Promise<void> => {
    for (const [name, mib] of await residentMiB(line)) most.set(name, Math.max(mib, most.get(name) ?? 0));
  };
  let held = 0;
  for (const began = performance.now(); performance.now() - began < 30_000 && !end.aborted; held++) {
    slow.process.pause();
    await goesOn(HELD_MS, end);
    slow.process.resume();
    await goesOn(GOING_MS, end);
    await look();
  }
  const lagAfter = await lag();
  if (lagAfter <= lagBefore) failures.push(`features kept up (${lagAfter} records behind, ${lagBefore} before) though one of two instances was held up 24 of 25 parts of the time`);
  slow.process.pause();
  await goesOn(ABSENT_MS, end);
  slow.process.resume();
  held++;
  while (await goesOn(1_000, end)) await look();
  for (const [name, mib] of most) {
    if (mib > before.get(name)! + SLACK_MIB) failures.push(`${name} grew from ${before.get(name)!.toFixed(0)} to ${mib.toFixed(0)} MiB`);
  }
  return held;
};
