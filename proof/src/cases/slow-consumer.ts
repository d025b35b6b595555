import { TOPICS } from '@millwright/contracts';
import type { Case } from '../case.js';
import { underChaos } from '../chaos.js';
import type { Disturbance } from '../disturbance.js';
import { goesOn } from '../goes-on.js';
import { mostMiB, SLACK_MIB } from '../memory.js';
import { part, reference } from '../run.js';

/** Of each turn: held up, and going. Short enough that the group does not take it for dead. */
const [HELD_MS, GOING_MS] = [2_500, 100] as const;
const TURNS = 12;
/** Longer than the group waits for a sign of life: the instance finds its partitions gone when it goes on. */
const ABSENT_MS = 25_000;

/** One instance of features that can't keep up, and then one that is held up for so long that others take its place. */
export const slowConsumer: Case = {
  name: 'slow-consumer',
  claim: 'an instance that is slow, or held up until others have taken its place, gets behind and catches up: no memory grows, nothing is lost, doubled or changed',
  async run(stage) {
    const seconds = Math.max(120, part(stage));
    const { mostMiB: atFullSpeed } = await reference(stage, seconds);
    return underChaos(stage, { seconds, disturb: holdingUp(atFullSpeed) });
  },
};

const holdingUp = (atFullSpeed: ReadonlyMap<string, number>): Disturbance => async ({ line, end, failures }) => {
  const slow = line.members.find(({ service }) => service === 'features')!;
  const lag = (): Promise<number> => line.outputs.lag('features', TOPICS.telemetry.name);
  const memory = mostMiB(line, end);
  let lagBefore = 0;
  for (let second = 0; second < 10; second++) {
    if (!(await goesOn(1_000, end))) return 0;
    lagBefore = Math.max(lagBefore, await lag());
  }
  const lags: number[] = [];
  while (lags.length < TURNS && !end.aborted) {
    slow.process.pause();
    await goesOn(HELD_MS, end);
    lags.push(await lag());
    slow.process.resume();
    await goesOn(GOING_MS, end);
  }
  // The least of the second half: one look may find it behind by chance.
  const lagHeld = Math.min(...lags.slice(-TURNS / 2));
  if (lagHeld <= lagBefore) failures.push(`features kept up (${lagHeld} records behind, ${lagBefore} before) though one of two instances was held up 24 of 25 parts of the time`);
  slow.process.pause();
  await goesOn(ABSENT_MS, end);
  slow.process.resume();
  // Who catches up goes at full speed.
  for (const [service, mib] of await memory) {
    const most = atFullSpeed.get(service)!;
    if (mib > most + SLACK_MIB) failures.push(`${service} took up to ${mib.toFixed(0)} MiB, and ${most.toFixed(0)} at full speed, undisturbed; ${SLACK_MIB} MiB more are allowed for`);
  }
  return lags.length + 1;
};
