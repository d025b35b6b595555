import type { Case } from '../case.js';
import { underChaos } from '../chaos.js';
import { ALL_SERVICES, killing } from '../killing.js';
import { withoutGrowth } from '../memory.js';

/** Everything dies for hours, and nothing grows. */
export const soak: Case = {
  name: 'soak',
  claim: 'after hours of kill-all nothing is lost, doubled or changed, and the processes take no more memory than at first',
  run: (stage) => underChaos(stage, { seconds: stage.seconds, disturb: withoutGrowth(killing(['Kafka', 'Redis', ...ALL_SERVICES])) }),
};
