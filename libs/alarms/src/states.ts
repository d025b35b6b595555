/**
 * Annunciation states of an alarm, after ANSI/ISA-18.2-2016 figure 3 (letters as there). Shelved (G), suppressed by
 * design (H) and out of service (I) are further rows and columns of TRANSITIONS when they come.
 */
export type AlarmState =
  /** A: not in alarm, nothing to acknowledge. */
  | 'normal'
  /** B: in alarm, not acknowledged. */
  | 'unacknowledged'
  /** C: in alarm, acknowledged. */
  | 'acknowledged'
  /** D: returned to normal before anyone acknowledged it. */
  | 'returned-unacknowledged';

/** What makes the state change. */
export type AlarmCause = 'raised' | 'cleared' | 'acknowledged';

/**
 * States x causes. What is left out can't happen (an alarm that is raised isn't raised again) or has no effect
 * (acknowledging twice).
 *
 * | state                     | raised         | cleared                 | acknowledged |
 * | ------------------------- | -------------- | ----------------------- | ------------ |
 * | normal                    | unacknowledged | -                       | -            |
 * | unacknowledged            | -              | returned-unacknowledged | acknowledged |
 * | acknowledged              | -              | normal                  | -            |
 * | returned-unacknowledged   | unacknowledged | -                       | normal       |
 *
 * Raising from returned-unacknowledged begins a new occurrence; the one that nobody acknowledged is over.
 */
export const TRANSITIONS: Readonly<Record<AlarmState, Readonly<Partial<Record<AlarmCause, AlarmState>>>>> = {
  normal: { raised: 'unacknowledged' },
  unacknowledged: { cleared: 'returned-unacknowledged', acknowledged: 'acknowledged' },
  acknowledged: { cleared: 'normal' },
  'returned-unacknowledged': { raised: 'unacknowledged', acknowledged: 'normal' },
};
