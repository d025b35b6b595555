import type { ServiceName } from '@millwright/cli/service-process';
import type { Case } from '../case.js';
import { underChaos } from '../chaos.js';
import type { Disturbance } from '../disturbance.js';
import { goesOn } from '../goes-on.js';
import type { Member } from '../line.js';
import { part } from '../run.js';

const EVERY_MS = 5_000;
/** Those that share partitions out among their instances. */
const GROUPS: readonly ServiceName[] = ['features', 'inference', 'quality', 'alerting'];

/** Partitions are handed from one to the other all the time. */
export const rebalance: Case = {
  name: 'rebalance',
  claim: 'instances that join and leave every 5 s lose, double and change nothing',
  run: (stage) => underChaos(stage, { seconds: part(stage), disturb: joiningAndLeaving }),
};

/** A third instance of one service after the other, each for fifteen seconds. */
const joiningAndLeaving: Disturbance = async ({ line, end }) => {
  const guests: Member[] = [];
  let changes = 0;
  for (let turn = 0; await goesOn(EVERY_MS, end); turn++) {
    if (turn % 2 === 0) guests.push(await line.join(GROUPS[(turn / 2) % GROUPS.length]!));
    else if (guests.length > 1) await line.leave(guests.shift()!);
    else continue;
    changes++;
  }
  for (const guest of guests) await line.leave(guest);
  return changes + guests.length;
};
