import { dueUs, perceive, settle, UNOBSERVED, type Detection, type DetectionRule, type Observation } from './detection.js';
import { TRANSITIONS, type AlarmCause, type AlarmState } from './states.js';

/** An observation with what is to be shown of it: contributing signals, a description. */
export interface Evidence<D> extends Observation {
  readonly detail: D;
}

/** Someone took notice of one occurrence. */
export interface Acknowledgement {
  readonly occurrence: number;
  readonly by: string;
  readonly comment: string;
  readonly timeUs: number;
}

/**
 * One condition that can raise an alarm, and that alarm: plain immutable data.
 * Every function of this file returns a new one; the same calls in the same order give the same result, always.
 *
 * @typeParam D what is kept of the most severe observation
 */
export interface Condition<D> {
  readonly state: AlarmState;
  readonly detection: Detection;
  /** Times raised. An acknowledgement names the occurrence that it is for. */
  readonly occurrence: number;
  readonly raisedUs: number;
  /** Undefined while in alarm. */
  readonly clearedUs?: number;
  /** The acknowledgement of this occurrence. */
  readonly acknowledgement?: Acknowledgement;
  /** Observations that were on since it came on: many results make one alarm. */
  readonly evidence: number;
  /** Highest severity among them, and the detail of that observation. */
  readonly severity: number;
  readonly detail?: D;
}

/** A change of state, with the condition as it was right after. */
export interface Transition<D> {
  readonly cause: AlarmCause;
  /** Event time of the change itself, not of the record that revealed it. */
  readonly timeUs: number;
  readonly condition: Condition<D>;
}

/** What a step leads to: the condition now, and how it got there. */
export interface Step<D> {
  readonly condition: Condition<D>;
  readonly transitions: readonly Transition<D>[];
}

/** A condition of which nothing has been seen. */
export function unobserved<D>(): Condition<D> {
  return { state: 'normal', detection: UNOBSERVED, occurrence: 0, raisedUs: 0, evidence: 0, severity: 0 };
}

/** Event time of the next change if nothing more is observed: ask for a timer then. Infinity when none is pending. */
export function nextChangeUs<D>(condition: Condition<D>, rule: DetectionRule): number {
  return dueUs(condition.detection, rule);
}

/** Event time has reached `timeUs`: raises or clears what was due by then, with the time at which it was due. */
export function advance<D>(condition: Condition<D>, rule: DetectionRule, timeUs: number): Step<D> {
  const due = dueUs(condition.detection, rule);
  if (due > timeUs) return { condition, transitions: [] };
  const detection = settle(condition.detection, rule);
  const next = detection.alarming ? raise(condition, detection, due) : clear(condition, detection, due);
  return { condition: next, transitions: [{ cause: detection.alarming ? 'raised' : 'cleared', timeUs: due, condition: next }] };
}

/**
 * A new observation. Whatever was due by its time changes first; then it passes the dead-band and, without a delay, takes
 * effect at once. Observations at the time of the latest one are taken (an amended window corrects it from then on);
 * earlier ones change nothing.
 */
export function observe<D>(condition: Condition<D>, rule: DetectionRule, evidence: Evidence<D>): Step<D> {
  if (evidence.timeUs < condition.detection.observedUs) return { condition, transitions: [] };
  const before = advance(condition, rule, evidence.timeUs);
  const perceived = count(before.condition, perceive(before.condition.detection, rule, evidence), evidence);
  const after = advance(perceived, rule, evidence.timeUs);
  return { condition: after.condition, transitions: [...before.transitions, ...after.transitions] };
}

/**
 * Someone acknowledges an occurrence. Changes nothing, and gives no transition, where that occurrence is not the present
 * one or has been acknowledged already; so it may come twice, and before or after the alarm has cleared.
 */
export function acknowledge<D>(condition: Condition<D>, acknowledgement: Acknowledgement): Step<D> {
  const state = TRANSITIONS[condition.state].acknowledged;
  if (state === undefined || acknowledgement.occurrence !== condition.occurrence) return { condition, transitions: [] };
  const next: Condition<D> = { ...condition, state, acknowledgement };
  return { condition: next, transitions: [{ cause: 'acknowledged', timeUs: acknowledgement.timeUs, condition: next }] };
}

function raise<D>(condition: Condition<D>, detection: Detection, timeUs: number): Condition<D> {
  const { clearedUs: _cleared, acknowledgement: _acknowledged, ...rest } = condition;
  return { ...rest, state: follow(condition.state, 'raised'), detection, occurrence: condition.occurrence + 1, raisedUs: timeUs };
}

function clear<D>(condition: Condition<D>, detection: Detection, timeUs: number): Condition<D> {
  return { ...condition, state: follow(condition.state, 'cleared'), detection, clearedUs: timeUs };
}

function follow(state: AlarmState, cause: AlarmCause): AlarmState {
  const next = TRANSITIONS[state][cause];
  if (next === undefined) throw new Error(`an alarm that is ${state} can't be ${cause}: its state is corrupt`);
  return next;
}

/** De-duplication: what supports an alarm that is (about to be) raised is counted, not raised again. */
function count<D>(condition: Condition<D>, detection: Detection, { severity, detail }: Evidence<D>): Condition<D> {
  if (!detection.on) return { ...condition, detection };
  if (!condition.detection.on && !condition.detection.alarming) return { ...condition, detection, evidence: 1, severity, detail };
  const evidence = condition.evidence + 1;
  return severity > condition.severity ? { ...condition, detection, evidence, severity, detail } : { ...condition, detection, evidence };
}
