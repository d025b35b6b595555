import type { Case } from '../case.js';
import { underChaos } from '../chaos.js';
import { ALL_SERVICES, killing } from '../killing.js';

/** Everything dies, again and again, for the whole time. */
export const killAll: Case = {
  name: 'kill-all',
  claim: 'kill -9 of Kafka, Redis and each service, in turn and at random, loses, doubles and changes nothing; output goes on within 10 s of a service, 15 s of the broker',
  run: (stage) => underChaos(stage, { seconds: stage.seconds, disturb: killing(['Kafka', 'Redis', ...ALL_SERVICES]) }),
};
