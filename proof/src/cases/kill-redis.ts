import type { Case } from '../case.js';
import { underChaos } from '../chaos.js';
import { killing } from '../killing.js';
import { part } from '../run.js';

/** The store of the checkpoints dies, again and again. */
export const killRedis: Case = {
  name: 'kill-redis',
  claim: 'kill -9 of Redis loses, doubles and changes nothing, and output goes on',
  run: (stage) => underChaos(stage, { seconds: part(stage), disturb: killing(['Redis']) }),
};
