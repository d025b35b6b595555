export type { AlarmCause, AlarmState } from './states.js';
export type { DetectionRule } from './detection.js';
export {
  acknowledge,
  advance,
  nextChangeUs,
  observe,
  unobserved,
  type Acknowledgement,
  type Condition,
  type Evidence,
  type Step,
  type Transition,
} from './condition.js';
