import type { Case } from '../case.js';
import { underChaos } from '../chaos.js';
import { ALL_SERVICES, killing } from '../killing.js';
import { part } from '../run.js';

/** Every service dies, again and again, one at a time. */
export const killServices: Case = {
  name: 'kill-services',
  claim: 'kill -9 of each service, in turn and at random, loses, doubles and changes nothing; output goes on within 10 s',
  run: (stage) => underChaos(stage, { seconds: part(stage), disturb: killing(ALL_SERVICES) }),
};
