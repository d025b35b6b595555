/** When a condition makes an alarm; ISA-18.2 calls the parts dead-band, on-delay and off-delay. */
export interface DetectionRule {
  /** Severity at or above which the condition is on ... */
  readonly onAt: number;
  /** ... and below which it is off again; at most onAt. */
  readonly offBelow: number;
  /** Microseconds that it must be on before the alarm is raised. */
  readonly onDelayUs: number;
  /** Microseconds that it must be off before the alarm is cleared. */
  readonly offDelayUs: number;
}

/** How severe a condition was seen to be at one event time; it holds until the next observation says otherwise. */
export interface Observation {
  /** Event time, microseconds since the Unix epoch. */
  readonly timeUs: number;
  readonly severity: number;
}

/** Where detection stands: the condition behind the dead-band (`on`) and behind the delays (`alarming`). */
export interface Detection {
  readonly on: boolean;
  readonly alarming: boolean;
  /** Event time since when `on` is what it is. */
  readonly changedUs: number;
  /** Event time of the latest observation. */
  readonly observedUs: number;
  /** Event time up to which changes of `alarming` have been announced: none may be announced before it. */
  readonly settledUs: number;
}

export const UNOBSERVED: Detection = {
  on: false,
  alarming: false,
  changedUs: Number.MIN_SAFE_INTEGER,
  observedUs: Number.MIN_SAFE_INTEGER,
  settledUs: Number.MIN_SAFE_INTEGER,
};

/** Event time at which `alarming` changes if no observation comes before; Infinity when nothing is pending. */
export function dueUs(detection: Detection, rule: DetectionRule): number {
  if (detection.on === detection.alarming) return Infinity;
  return detection.changedUs + (detection.on ? rule.onDelayUs : rule.offDelayUs);
}

/** Applies what is due; the caller has checked that something is. */
export function settle(detection: Detection, rule: DetectionRule): Detection {
  return { ...detection, alarming: detection.on, settledUs: dueUs(detection, rule) };
}

/**
 * Passes an observation through the dead-band. What is due by its time must have been settled before.
 * An observation from before the last announced change (a window amended after its alarm was raised by the passing of time)
 * counts from that change on: history that has been announced isn't rewritten.
 */
export function perceive(detection: Detection, rule: DetectionRule, { timeUs, severity }: Observation): Detection {
  const on = detection.on ? severity >= rule.offBelow : severity >= rule.onAt;
  if (on === detection.on) return { ...detection, observedUs: timeUs };
  return { ...detection, on, changedUs: Math.max(timeUs, detection.settledUs), observedUs: timeUs };
}
