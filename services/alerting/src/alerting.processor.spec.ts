import { describe, expect, it } from '@jest/globals';
import { Alarm, AlarmEvent, AlarmEventType, AlarmState, DeadLetter, FindingKind, InferenceResult, Priority, TOPICS, UNKNOWN, deadLetterTopic, lateTopic } from '@millwright/contracts';
import { PureRun, type Emission, type PureRecord } from '@millwright/streams';
import fc from 'fast-check';
import { createAlertingProcessor } from './alerting.processor.js';
import { PLANT, SECOND, acknowledged, diagnosed, found } from './testing/fixtures.js';

const start = (): PureRun => new PureRun(createAlertingProcessor(PLANT));
const events = (emissions: readonly Emission[]): AlarmEvent[] => emissions.filter(({ topic }) => topic === TOPICS.alarms.name).map(({ value }) => AlarmEvent.decode(value));
const states = (emissions: readonly Emission[]): Alarm[] => emissions.filter(({ topic }) => topic === TOPICS.alarmStates.name).map(({ value }) => Alarm.decode(value));
const told = (emissions: readonly Emission[]): string[] => events(emissions).map(({ type, timeUs, alarm }) => `${AlarmEventType[type]} ${alarm?.id} at ${timeUs / SECOND}`);
const deadLetters = (emissions: readonly Emission[]): string[] => emissions.filter(({ topic }) => topic.endsWith('.dlq')).map(({ value }) => DeadLetter.decode(value).error);

const OUTER = 'P-101/diagnosis/outer-race';

describe('diagnoses', () => {
  it('raise at the end of the on-delay, by the next result or by the watermark, with the same event', () => {
    const byResult = start();
    byResult.push([diagnosed(10, { 'outer-race': 0.8 })]);
    const revealed = byResult.push([diagnosed(14, { 'outer-race': 0.6 })]);
    const byWatermark = start();
    byWatermark.push([diagnosed(10, { 'outer-race': 0.8 })]);
    const timed = byWatermark.watermark(13 * SECOND);
    expect(told(timed)).toEqual([`RAISED ${OUTER} at 13`]);
    expect(revealed.slice(0, 2)).toEqual(timed);
    expect(timed.map(({ key, timeMs }) => [key, timeMs])).toEqual([[OUTER, 13_000], [OUTER, 13_000]]);
  });

  it('tell people what, how sure and by which signals', () => {
    const run = start();
    run.push([diagnosed(1, { 'outer-race': 0.9 }), diagnosed(2, { 'outer-race': 0.97 })]);
    const [alarm] = states(run.watermark(4 * SECOND));
    expect(alarm).toMatchObject({
      id: OUTER, asset: 'P-101', group: 'Line 1', condition: 'diagnosis/outer-race', fault: 'outer-race', priority: Priority.HIGH, state: AlarmState.UNACKNOWLEDGED,
      occurrence: 1, raisedUs: 4 * SECOND, evidence: 2, severity: 0.97, signals: ['vibration', 'temperature'],
      message: 'P-101: outer race fault (97 %), signals vibration, temperature',
    });
  });

  it('clear below offBelow after the off-delay', () => {
    const run = start();
    run.push([diagnosed(1, { 'outer-race': 0.9 }), diagnosed(5, { 'outer-race': 0.55 })]);
    expect(told(run.push([diagnosed(6, { 'outer-race': 0.49 }), diagnosed(9, {})]))).toEqual([`CLEARED ${OUTER} at 8`]);
  });

  it('never alarm for the normal class, nor for one that does not lead', () => {
    const run = start();
    expect(told([...run.push([1, 2, 3, 4, 5].map((at) => diagnosed(at, { 'outer-race': 0.2 }))), ...run.watermark(60 * SECOND)])).toEqual([]);
  });

  it('take the priority of the fault, and clear a label that a new model version lacks', () => {
    const run = start();
    run.push([diagnosed(1, { 'inner-race': 0.9 })]);
    const [raised] = events(run.watermark(4 * SECOND));
    expect(raised?.alarm?.priority).toBe(Priority.URGENT);
    expect(told([...run.push([diagnosed(6, { 'outer-race': 0.1 })]), ...run.watermark(10 * SECOND)])).toEqual(['CLEARED P-101/diagnosis/inner-race at 8']);
  });

  it('alarm for a fault of no known kind as long as health is not likely, and not otherwise', () => {
    const unknown = (seconds: number, confidence: number, normal: boolean): PureRecord => {
      const record = diagnosed(seconds, { 'outer-race': 0.45, 'inner-race': 0.45 });
      const message = InferenceResult.decode(record.value);
      if (message.result?.$case === 'diagnosis') Object.assign(message.result.value, { label: UNKNOWN, confidence, normal });
      return { ...record, value: InferenceResult.encode(message).finish() };
    };
    const run = start();
    expect(told([...run.push([unknown(1, 0.9, false), unknown(5, 0.9, false)]), ...run.push([unknown(6, 0.5, true), unknown(9, 0.5, true)])])).toEqual([
      'RAISED P-101/diagnosis/unknown at 4', 'CLEARED P-101/diagnosis/unknown at 8',
    ]);
    const healthy = start();
    expect(told([...healthy.push([1, 3, 5].map((at) => unknown(at, 0.9, true))), ...healthy.watermark(60 * SECOND)])).toEqual([]);
  });

  it('publish the state again when the evidence has doubled, and nothing else while it lasts', () => {
    const run = start();
    const emissions = run.push(Array.from({ length: 40 }, (_, i) => diagnosed(1 + i, { 'outer-race': 0.9 })));
    expect(told(emissions)).toHaveLength(1);
    expect(states(emissions).map(({ evidence }) => evidence)).toEqual([3, 4, 8, 16, 32]);
  });

  it('that come late change nothing and are declared late; one for the same window corrects', () => {
    const run = start();
    run.push([diagnosed(10, { 'outer-race': 0.9 })]);
    const late = run.push([diagnosed(9, { 'outer-race': 0.1 }, { revision: 1 })]);
    expect(late.map(({ topic }) => topic)).toEqual([lateTopic(TOPICS.inferences.name)]);
    run.push([diagnosed(10, { 'outer-race': 0.1 }, { revision: 1 })]);
    expect(told(run.watermark(60 * SECOND))).toEqual([]);
    expect(run.ledger()[0]).toMatchObject({ in: 3, processed: 2, late: 1 });
  });
});

describe('findings', () => {
  it('raise and clear with the chart', () => {
    const run = start();
    const emissions = run.push([found(1, true), found(2, true), found(3, false)]);
    expect(told(emissions)).toEqual(['RAISED P-101/quality/heat at 1', 'CLEARED P-101/quality/heat at 3']);
    expect(states(emissions)[0]).toMatchObject({ message: 'P-101: heat: 93 is beyond 3 sigma', signals: ['temperature'], priority: Priority.MEDIUM, fault: '' });
  });

  it('of T² are judged by the ratio to the limit', () => {
    const t2 = (seconds: number, value: number, active = true) =>
      found(seconds, active, { chart: 'P-101/t2', finding: FindingKind.MULTIVARIATE, value, upperLimit: 10, contributions: [{ signal: 'load', share: 0.6 }] });
    const run = start();
    const emissions = run.push([t2(1, 9.9), t2(2, 25), t2(3, 9.5), t2(4, 9.4, false)]);
    expect(told(emissions)).toEqual(['RAISED P-101/quality/t2 at 2', 'CLEARED P-101/quality/t2 at 4']);
    expect(states(emissions)[0]).toMatchObject({ severity: 2.5, signals: ['load'] });
  });

  it('of capability and control of one chart are two conditions; silence has its own rule', () => {
    const run = start();
    const emissions = [
      ...run.push([
        found(1, true, { finding: FindingKind.CAPABILITY }),
        found(1, false),
        found(1, true, { chart: 'P-101/load', finding: FindingKind.SILENT_SIGNAL, description: 'load sends nothing.' }),
      ]),
      ...run.watermark(60 * SECOND),
    ];
    expect(told(emissions)).toEqual(['RAISED P-101/capability/heat at 1', 'RAISED P-101/silent/load at 6']);
    expect(states(emissions)[1]).toMatchObject({ message: 'P-101: load sends nothing', signals: ['load'], priority: Priority.LOW });
  });
});

describe('acknowledgements', () => {
  it('change the state once', () => {
    const run = start();
    run.push([found(1, true)]);
    const emissions = run.push([acknowledged('P-101/quality/heat', 1), acknowledged('P-101/quality/heat', 1, 'bob')]);
    expect(told(emissions)).toEqual(['ACKNOWLEDGED P-101/quality/heat at 99']);
    expect(states(emissions)).toMatchObject([{ state: AlarmState.ACKNOWLEDGED, acknowledgedBy: 'ada', comment: 'seen', acknowledgedUs: 99 * SECOND }]);
    expect(states(run.push([found(2, false)]))).toMatchObject([{ state: AlarmState.NORMAL, acknowledgedBy: 'ada' }]);
  });

  it('wait for the occurrence that they name', () => {
    const run = start();
    expect(run.push([acknowledged('P-101/quality/heat', 2)])).toEqual([]);
    expect(told(run.push([found(1, true), found(2, false), found(3, true)]))).toEqual([
      'RAISED P-101/quality/heat at 1', 'CLEARED P-101/quality/heat at 2', 'RAISED P-101/quality/heat at 3', 'ACKNOWLEDGED P-101/quality/heat at 99',
    ]);
  });
});

describe('records that can never be processed', () => {
  it('go to the dead letters with the field and the remedy; the rest goes on', () => {
    const run = start();
    const stranger = diagnosed(1, {}, { asset: 'P-999' });
    const mismatched = { ...diagnosed(1, {}), key: 'P-102' };
    const improbable = diagnosed(1, { 'outer-race': NaN });
    const emissions = run.push([stranger, mismatched, improbable, acknowledged(OUTER, 0), acknowledged(OUTER, 1, ''), acknowledged('P-101/', 1), diagnosed(2, { 'outer-race': 0.9 })]);
    expect(deadLetters(emissions)).toEqual([
      'asset: "P-999" is not in the plant file of test: add it there, or stop what sends it',
      'asset: "P-101" stands in a record with key "P-102": the writer must use the asset as the key',
      expect.stringMatching(/^diagnosis\.probabilities: NaN of "outer-race" is not between 0 and 1/),
      expect.stringMatching(/^acknowledge\.occurrence:/),
      expect.stringMatching(/^acknowledge\.by:/),
      'alarm_id: "P-101/" is no alarm of P-101',
    ]);
    expect(told(run.watermark(5 * SECOND))).toEqual([`RAISED ${OUTER} at 5`]);
  });

  it('keep at most 64 acknowledgements waiting', () => {
    const run = start();
    const emissions = run.push(Array.from({ length: 70 }, (_, i) => acknowledged(`P-101/diagnosis/made-up-${i}`, 1)));
    expect(emissions.map(({ topic }) => topic)).toEqual(Array.from({ length: 6 }, () => deadLetterTopic(TOPICS.alarmCommands.name)));
  });
});

describe('any interleaving of the three inputs', () => {
  /** A whole second passes on an input: its record, then its watermark. */
  type Entry = { readonly record: PureRecord } | { readonly topic: string; readonly watermarkUs: number };

  const seconds = <T>(of: fc.Arbitrary<T>) => fc.array(of, { minLength: 5, maxLength: 40 });
  const inferences = seconds(fc.record({ p: fc.constantFrom(0, 0.3, 0.6, 0.8, 0.95), label: fc.constantFrom('outer-race', 'inner-race'), on: fc.constantFrom('P-101', 'P-102') }));
  const findings = seconds(fc.record({ active: fc.boolean(), chart: fc.constantFrom('heat', 'load'), on: fc.constantFrom('P-101', 'P-102') }));
  const commands = fc.array(fc.record({ id: fc.constantFrom(OUTER, 'P-101/quality/heat', 'P-102/diagnosis/inner-race', 'P-102/quality/load'), occurrence: fc.integer({ min: 1, max: 3 }) }), { maxLength: 12 });

  const lanes = fc.tuple(inferences, findings, commands).map(([results, charts, acks]): Entry[][] => [
    results.flatMap(({ p, label, on }, i): Entry[] => [{ record: diagnosed(i + 1, { [label]: p }, { asset: on }) }, { topic: TOPICS.inferences.name, watermarkUs: (i + 1) * SECOND }]),
    charts.flatMap(({ active, chart, on }, i): Entry[] => [
      { record: found(i + 1, active, { asset: on, chart: `${on}/${chart}`, ...(chart === 'load' ? { finding: FindingKind.SILENT_SIGNAL } : {}) }) },
      { topic: TOPICS.quality.name, watermarkUs: (i + 1) * SECOND },
    ]),
    acks.map(({ id, occurrence }): Entry => ({ record: acknowledged(id, occurrence) })),
  ]);

  /** Takes from the lanes in the order that `choices` give, until all are empty. */
  function run(all: readonly (readonly Entry[])[], choices: readonly number[]): { emissions: Emission[]; last: Map<string, Alarm> } {
    const processor = start();
    const rest = all.map((lane) => [...lane]);
    const emissions: Emission[] = [];
    for (let i = 0; rest.some(({ length }) => length > 0); i++) {
      const open = rest.filter(({ length }) => length > 0);
      const entry = open[(choices[i % choices.length] ?? 0) % open.length]!.shift()!;
      emissions.push(...('record' in entry ? processor.push([entry.record]) : processor.watermark(entry.watermarkUs, entry.topic)));
    }
    for (const topic of [TOPICS.inferences.name, TOPICS.quality.name]) emissions.push(...processor.watermark(1000 * SECOND, topic));
    return { emissions, last: new Map(states(emissions).map((alarm) => [alarm.id, alarm])) };
  }

  /** Raised and cleared, by alarm. */
  function history(emissions: readonly Emission[]): Record<string, string[]> {
    const byAlarm: Record<string, string[]> = {};
    for (const { type, timeUs, alarm } of events(emissions)) {
      if (type !== AlarmEventType.ACKNOWLEDGED) (byAlarm[alarm!.id] ??= []).push(`${AlarmEventType[type]} ${timeUs} ${alarm!.occurrence} ${alarm!.evidence} ${alarm!.message}`);
    }
    return Object.fromEntries(Object.entries(byAlarm).sort());
  }

  /** Without what goes on growing between two changes of state, and is published as of the last. */
  const settled = ({ evidence: _evidence, severity: _severity, message: _message, signals: _signals, ...rest }: Alarm) => rest;

  it('gives the same alarms, raised and cleared at the same times, and the same states in the end', () => {
    fc.assert(
      fc.property(lanes, fc.array(fc.nat(2), { minLength: 1, maxLength: 200 }), fc.array(fc.nat(2), { minLength: 1, maxLength: 200 }), (all, some, other) => {
        const a = run(all, some);
        const b = run(all, other);
        expect(history(b.emissions)).toEqual(history(a.emissions));
        const ids = [...a.last.keys()].sort();
        expect([...b.last.keys()].sort()).toEqual(ids);
        for (const id of ids) expect(settled(b.last.get(id)!)).toEqual(settled(a.last.get(id)!));
      }),
      { numRuns: 150 },
    );
  });

  it('never raises twice without a clear in between, and survives its state being written and read', () => {
    fc.assert(
      fc.property(lanes, (all) => {
        const { codec, stateVersion } = createAlertingProcessor(PLANT);
        const raised = new Set<string>();
        for (const { type, alarm } of events(run(all, [0, 1, 2]).emissions)) {
          if (type === AlarmEventType.RAISED) expect(raised.has(alarm!.id)).toBe(false);
          if (type === AlarmEventType.RAISED) raised.add(alarm!.id);
          if (type === AlarmEventType.CLEARED) expect(raised.delete(alarm!.id)).toBe(true);
        }
        const state = stateOf(all.flat());
        expect(codec.decode(codec.encode(state), stateVersion)).toEqual(state);
      }),
      { numRuns: 50 },
    );
  });

  /** State of P-101 after the records, without watermarks. */
  function stateOf(entries: readonly Entry[]) {
    const processor = createAlertingProcessor(PLANT);
    const state = processor.initial('P-101');
    for (const entry of entries) {
      if (!('record' in entry) || entry.record.key !== 'P-101') continue;
      const record = { topic: '', ...entry.record, partition: 0, offset: 0, headers: { schema: '', source: '', sequence: 1 } };
      const context = { key: 'P-101', partition: 0, topic: record.topic, isLive: true, watermarkUs: 0, setTimer: () => undefined, late: () => undefined, forget: () => undefined };
      void processor.onRecord(processor.decode(record), state, context, record);
    }
    return state;
  }
});
