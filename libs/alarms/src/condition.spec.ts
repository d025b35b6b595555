import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { acknowledge, advance, nextChangeUs, observe, unobserved, type AlarmCause, type AlarmState, type Condition, type DetectionRule, type Transition } from './index.js';

const RULE: DetectionRule = { onAt: 0.8, offBelow: 0.5, onDelayUs: 10, offDelayUs: 20 };
const AT_ONCE: DetectionRule = { ...RULE, onDelayUs: 0, offDelayUs: 0 };

/** Runs [time, severity] observations through a condition; a bare number lets time pass without one. */
function run(rule: DetectionRule, history: readonly (readonly [number, number] | number)[], from: Condition<string> = unobserved<string>()) {
  let condition = from;
  const transitions: Transition<string>[] = [];
  for (const entry of history) {
    const step =
      typeof entry === 'number'
        ? advance(condition, rule, entry)
        : observe(condition, rule, { timeUs: entry[0], severity: entry[1], detail: `seen at ${entry[0]}` });
    condition = step.condition;
    transitions.push(...step.transitions);
  }
  return { condition, transitions, events: transitions.map(({ cause, timeUs }) => [cause, timeUs]) };
}

const acknowledgement = (occurrence: number, timeUs = 1000) => ({ occurrence, by: 'ada', comment: '', timeUs });

describe('detection', () => {
  it('raises at the end of the on-delay, not at the record that reveals it', () => {
    expect(run(RULE, [[100, 0.9], [175, 0.9]]).events).toEqual([['raised', 110]]);
  });

  it('raises by the passing of time alone', () => {
    expect(run(RULE, [[100, 0.9], 109]).events).toEqual([]);
    expect(run(RULE, [[100, 0.9], 110]).events).toEqual([['raised', 110]]);
  });

  it('does not raise what was off before the on-delay ended, and does when it went off just then', () => {
    expect(run(RULE, [[100, 0.9], [109, 0.1], 500]).events).toEqual([]);
    expect(run(RULE, [[100, 0.9], [110, 0.1], 500]).events).toEqual([['raised', 110], ['cleared', 130]]);
  });

  it('stays on within the dead-band', () => {
    expect(run(AT_ONCE, [[1, 0.79], [2, 0.8], [3, 0.5], [4, 0.49], [5, 0.79]]).events).toEqual([['raised', 2], ['cleared', 4]]);
  });

  it('clears at the end of the off-delay, unless it came on again', () => {
    expect(run(RULE, [[0, 1], [30, 0], [45, 1], [60, 0], [100, 0]]).events).toEqual([['raised', 10], ['cleared', 80]]);
  });

  it('takes a correction of the latest observation and leaves earlier ones alone', () => {
    expect(run(RULE, [[100, 0.9], [100, 0.1], 500]).events).toEqual([]);
    const seen = run(RULE, [[100, 0.9], [105, 0.9]]).condition;
    expect(observe(seen, RULE, { timeUs: 104, severity: 0, detail: '' })).toEqual({ condition: seen, transitions: [] });
  });

  it('never announces a change before one that it has announced', () => {
    // The window at 105 is amended after time passed 110 and the alarm was raised: it is off from 110 on, not from 105.
    expect(run(RULE, [[100, 0.9], 112, [105, 0.1], 500]).events).toEqual([['raised', 110], ['cleared', 130]]);
  });

  it('says when the next change is due', () => {
    expect(nextChangeUs(run(RULE, []).condition, RULE)).toBe(Infinity);
    expect(nextChangeUs(run(RULE, [[100, 0.9]]).condition, RULE)).toBe(110);
    expect(nextChangeUs(run(RULE, [[100, 0.9], 110]).condition, RULE)).toBe(Infinity);
    expect(nextChangeUs(run(RULE, [[100, 0.9], 110, [200, 0]]).condition, RULE)).toBe(220);
  });
});

describe('states', () => {
  const states: readonly { name: AlarmState; history: [number, number][]; acknowledged: boolean }[] = [
    { name: 'normal', history: [], acknowledged: false },
    { name: 'unacknowledged', history: [[1, 1]], acknowledged: false },
    { name: 'acknowledged', history: [[1, 1]], acknowledged: true },
    { name: 'returned-unacknowledged', history: [[1, 1], [2, 0]], acknowledged: false },
  ];
  const expected: Record<AlarmState, Record<AlarmCause, AlarmState>> = {
    normal: { raised: 'unacknowledged', cleared: 'normal', acknowledged: 'normal' },
    unacknowledged: { raised: 'unacknowledged', cleared: 'returned-unacknowledged', acknowledged: 'acknowledged' },
    acknowledged: { raised: 'acknowledged', cleared: 'normal', acknowledged: 'acknowledged' },
    'returned-unacknowledged': { raised: 'unacknowledged', cleared: 'returned-unacknowledged', acknowledged: 'normal' },
  };

  it.each(states)('$name', ({ name, history, acknowledged }) => {
    let { condition } = run(AT_ONCE, history);
    if (acknowledged) condition = acknowledge(condition, acknowledgement(1)).condition;
    expect(condition.state).toBe(name);
    expect(run(AT_ONCE, [[10, 1]], condition).condition.state).toBe(expected[name].raised);
    expect(run(AT_ONCE, [[10, 0]], condition).condition.state).toBe(expected[name].cleared);
    expect(acknowledge(condition, acknowledgement(condition.occurrence)).condition.state).toBe(expected[name].acknowledged);
  });

  it('acknowledges only the occurrence that is named', () => {
    const again = run(AT_ONCE, [[1, 1], [2, 0], [3, 1]]).condition;
    expect(again).toMatchObject({ occurrence: 2, state: 'unacknowledged', raisedUs: 3 });
    expect(acknowledge(again, acknowledgement(1)).condition).toBe(again);
    expect(acknowledge(again, acknowledgement(3)).condition).toBe(again);
    expect(acknowledge(again, acknowledgement(2)).condition).toMatchObject({ state: 'acknowledged', acknowledgement: { by: 'ada' } });
  });

  it('forgets acknowledgement and clearing at the next occurrence', () => {
    const cleared = run(AT_ONCE, [[2, 0]], acknowledge(run(AT_ONCE, [[1, 1]]).condition, acknowledgement(1)).condition).condition;
    expect(cleared).toMatchObject({ state: 'normal', clearedUs: 2, acknowledgement: { occurrence: 1 } });
    const again = run(AT_ONCE, [[3, 1]], cleared).condition;
    expect(again.clearedUs).toBeUndefined();
    expect(again.acknowledgement).toBeUndefined();
  });

  it('counts the evidence of one occurrence and keeps the most severe', () => {
    const { condition, transitions } = run(RULE, [[1, 0.9], [5, 0.95], [20, 0.85], [25, 0.1], [30, 0.9]]);
    expect(transitions[0]?.condition).toMatchObject({ evidence: 2, severity: 0.95, detail: 'seen at 5' });
    expect(condition).toMatchObject({ evidence: 4, severity: 0.95, detail: 'seen at 5' });
    expect(run(RULE, [60, [99, 0], [120, 0.81]], condition).condition).toMatchObject({ evidence: 1, severity: 0.81, detail: 'seen at 120' });
  });
});

/** The same rule judged from the whole history at once: intervals in which the condition was on or off, each long enough or not. */
function fromHistory(rule: DetectionRule, observations: readonly { timeUs: number; severity: number }[], endUs: number): [AlarmCause, number][] {
  const changes: { on: boolean; timeUs: number }[] = [];
  for (const { timeUs, severity } of observations) {
    const on = changes.at(-1)?.on ?? false;
    if (!on && severity >= rule.onAt) changes.push({ on: true, timeUs });
    if (on && severity < rule.offBelow) changes.push({ on: false, timeUs });
  }
  const events: [AlarmCause, number][] = [];
  changes.forEach(({ on, timeUs }, i) => {
    const at = timeUs + (on ? rule.onDelayUs : rule.offDelayUs);
    const cause = on ? 'raised' : 'cleared';
    const alarming = events.at(-1)?.[0] === 'raised';
    if (at <= (changes[i + 1]?.timeUs ?? endUs) && alarming !== on) events.push([cause, at]);
  });
  return events;
}

describe('any history', () => {
  const severities = fc.constantFrom(0, 0.49, 0.5, 0.7, 0.79, 0.8, 1);
  const delays = fc.integer({ min: 0, max: 12 });
  const rules = fc.record({ onAt: fc.constant(0.8), offBelow: fc.constantFrom(0.5, 0.8), onDelayUs: delays, offDelayUs: delays });
  const histories = fc
    .array(fc.record({ gapUs: fc.integer({ min: 0, max: 9 }), severity: severities, passes: fc.integer({ min: 0, max: 9 }), acknowledges: fc.boolean() }), { maxLength: 60 })
    .map((entries) => {
      let timeUs = 0;
      return entries.map(({ gapUs, severity, passes, acknowledges }) => {
        timeUs += gapUs;
        return { timeUs, severity, passes, acknowledges };
      });
    });

  it('gives what the whole history gives, however time was told', () => {
    fc.assert(
      fc.property(rules, histories, (rule, history) => {
        const endUs = (history.at(-1)?.timeUs ?? 0) + 30;
        // Between two observations, time may be told to have passed up to the next.
        const told = history.flatMap(({ timeUs, severity, passes }, i): ([number, number] | number)[] => [
          [timeUs, severity],
          Math.min(timeUs + passes, history[i + 1]?.timeUs ?? endUs),
        ]);
        const { events, condition } = run(rule, [...told, endUs]);
        expect(events).toEqual(fromHistory(rule, history, endUs));
        expect(run(rule, [...history.map(({ timeUs, severity }): [number, number] => [timeUs, severity]), endUs]).condition).toEqual(condition);
      }),
      { numRuns: 500 },
    );
  });

  it('alternates raised and cleared in order of time, and counts occurrences', () => {
    fc.assert(
      fc.property(rules, histories, fc.infiniteStream(fc.integer({ min: -20, max: 5 })), (rule, history, jitter) => {
        // Out of order on purpose: observations from the past and time that ran ahead.
        const jumbled = history.flatMap(({ timeUs, severity, passes }): ([number, number] | number)[] => [[timeUs + jitter.next().value, severity], timeUs + passes]);
        const { transitions } = run(rule, jumbled);
        transitions.forEach(({ cause, timeUs, condition }, i) => {
          expect(cause).toBe(i % 2 === 0 ? 'raised' : 'cleared');
          expect(condition.occurrence).toBe(Math.floor(i / 2) + 1);
          expect(timeUs).toBeGreaterThanOrEqual(transitions[i - 1]?.timeUs ?? -Infinity);
        });
      }),
      { numRuns: 500 },
    );
  });

  it('is raised and cleared alike whether or not anyone acknowledges, and twice is once', () => {
    fc.assert(
      fc.property(rules, histories, (rule, history) => {
        let condition = unobserved<string>();
        const transitions: Transition<string>[] = [];
        for (const { timeUs, severity, acknowledges } of history) {
          const step = observe(condition, rule, { timeUs, severity, detail: '' });
          transitions.push(...step.transitions);
          condition = step.condition;
          if (!acknowledges) continue;
          const first = acknowledge(condition, acknowledgement(condition.occurrence));
          expect(acknowledge(first.condition, acknowledgement(condition.occurrence, 2000))).toEqual({ condition: first.condition, transitions: [] });
          condition = first.condition;
        }
        const without = run(rule, history.map(({ timeUs, severity }): [number, number] => [timeUs, severity]));
        expect(transitions.map(({ cause, timeUs }) => [cause, timeUs])).toEqual(without.events);
        expect(condition.detection).toEqual(without.condition.detection);
      }),
      { numRuns: 300 },
    );
  });
});
