import type { Case } from '../case.js';
import { underChaos } from '../chaos.js';
import { killing } from '../killing.js';
import { part } from '../run.js';

/** The only broker dies, again and again. */
export const killKafka: Case = {
  name: 'kill-kafka',
  claim: 'kill -9 of the broker loses, doubles and changes nothing; output goes on within 15 s',
  run: (stage) => underChaos(stage, { seconds: part(stage), disturb: killing(['Kafka']) }),
};
