import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Alarm, AlarmEvent, AlarmEventType, AlarmState, Finding, InferenceResult, lateTopic, deadLetterTopic, TelemetryBlock, TOPICS, Watermark, WATERMARK_SCHEMA, type Topic,
} from '@millwright/contracts';
import { openEmbeddedLog, WATERMARK_KEY, type EventLog, type LedgerEntry, type NewRecord, type ProcessorStatus } from '@millwright/streams';
import { PipelineMeter } from './pipeline-meter.js';
import { summarize } from './summary.js';

const SECOND = 1_000_000;
const ENDS = [[TOPICS.features, 'features'], [TOPICS.inferences, 'inference'], [TOPICS.quality, 'quality'], [TOPICS.quality, 'inference-drift'], [TOPICS.alarms, 'alerting']] as const;
const PARTITIONS = 2;

const record = (topic: { name: string; schema: string }, key: string, sequence: number, value = new Uint8Array(), partition = 0, source = 'edge'): NewRecord => ({
  topic: topic.name, partition, key, value, timeMs: 0, headers: { schema: topic.schema, source, sequence },
});
const watermark = (topic: Topic, writer: string, partition: number, timeUs: number): NewRecord =>
  record({ name: topic.name, schema: WATERMARK_SCHEMA }, WATERMARK_KEY, 0, Watermark.encode({ timeUs, last: false }).finish(), partition, `${writer}/${partition}`);

const ledger = (fields: Partial<LedgerEntry>): LedgerEntry =>
  ({ topic: 'telemetry.v1', partition: 0, in: 0, processed: 0, deadLettered: 0, late: 0, repeated: 0, missing: 0, watermarks: 0, ...fields });
const status = (...entries: LedgerEntry[]): ProcessorStatus => ({ processor: 'features', assignment: [0], lastPollMs: 0, lag: 0, inputs: [], ledger: entries });

describe('pipeline meter', () => {
  let log: EventLog;
  let meter: PipelineMeter;

  beforeEach(async () => {
    log = openEmbeddedLog(':memory:');
    const names = Object.values<Topic>(TOPICS).flatMap(({ name, consumed }) => (consumed ? [name, deadLetterTopic(name), lateTopic(name)] : [name]));
    await log.createTopics(names.map((name) => ({ name, partitions: PARTITIONS, retentionMs: 1e9, compacted: false })));
    meter = new PipelineMeter();
    await meter.attach(log);
  });
  afterEach(async () => {
    await meter.close();
    await log.close();
  });

  /** Appends and waits until the meter has seen it: a watermark is the last in every partition. */
  async function show(records: readonly NewRecord[], timeUs = 0): Promise<void> {
    await log.append(records);
    await log.append(ENDS.flatMap(([topic, writer]) => [0, 1].map((partition) => watermark(topic, writer, partition, timeUs))));
    await meter.waitForWatermark(timeUs);
  }

  it('counts data and not watermarks, and finds what is missing and what came twice, per key where senders count so', async () => {
    await show([
      record(TOPICS.features, 'P-101', 1, undefined, 0, 'features/0'),
      record(TOPICS.features, 'P-102', 2, undefined, 0, 'features/0'),
      record(TOPICS.features, 'P-101', 5, undefined, 0, 'features/0'),
      record(TOPICS.features, 'P-103', 1, undefined, 1, 'features/0'),
      record(TOPICS.features, 'P-101', 5, undefined, 0, 'features/0'),
    ]);
    expect([meter.count(TOPICS.features), meter.lost, meter.duplicated]).toEqual([4, 2, 1]);
    const seen = new PipelineMeter();
    await seen.attach(log);
    await log.append([1, 2].flatMap((sequence) => ['P-101', 'P-102'].map((asset) => record(TOPICS.telemetry, asset, sequence))));
    await log.append([watermark(TOPICS.features, 'features', 0, 7)]);
    await show([], 9);
    await seen.waitForWatermark(9);
    await seen.close();
    expect([seen.lost, seen.duplicated]).toEqual([0, 0]);
  });

  it('knows that all is done with when every partition of every end has reached the time', async () => {
    let done = false;
    const drained = meter.waitForWatermark(5 * SECOND).then(() => (done = true));
    await show(ENDS.flatMap(([topic, writer]) => [0, 1].map((partition) => watermark(topic, writer, partition, writer === 'inference-drift' && partition === 1 ? 4 * SECOND : 6 * SECOND))), 4 * SECOND);
    expect(done).toBe(false);
    await log.append([watermark(TOPICS.quality, 'inference-drift', 1, 5 * SECOND)]);
    await drained;
  });

  it('follows diagnoses, findings, alarms and latency, and passes over what is no message', async () => {
    const blocks = [TelemetryBlock.fromPartial({ asset: 'P-101', startUs: 0, intervalUs: SECOND, count: 10, signals: [{ signal: 'a' }, { signal: 'b' }] })];
    meter.arrived({ blocks, production: [], advanceToUs: 10 * SECOND });
    const inference = InferenceResult.fromPartial({ asset: 'P-101', windowEndUs: 10 * SECOND });
    inference.result = { $case: 'diagnosis', value: { label: '1', normal: false, confidence: 0.97, probabilities: [], ofWindow: [] } };
    const alarm = Alarm.fromPartial({ id: 'P-101/diagnosis/1', asset: 'P-101', fault: '1', state: AlarmState.UNACKNOWLEDGED });
    const finding = Finding.fromPartial({ asset: 'P-101', description: 'heat: too hot.', active: true, timeUs: SECOND });
    await log.append([record(TOPICS.alarmStates, alarm.id, 1, Alarm.encode(alarm).finish())]);
    await show(
      [
        record(TOPICS.inferences, 'P-101', 1, InferenceResult.encode(inference).finish()),
        record(TOPICS.inferences, 'P-101', 2, Uint8Array.of(0xff)),
        record(TOPICS.quality, 'P-101', 1, Finding.encode(finding).finish()),
        record(TOPICS.alarms, alarm.id, 1, AlarmEvent.encode({ type: AlarmEventType.RAISED, timeUs: 9 * SECOND, alarm }).finish()),
        record({ name: deadLetterTopic(TOPICS.inferences.name), schema: 'x' }, 'P-101', 1),
        record({ name: lateTopic(TOPICS.telemetry.name), schema: 'x' }, 'P-101', 7),
      ],
      SECOND,
    );
    expect(meter.assets.get('P-101')).toEqual({
      diagnosis: { label: '1', normal: false, confidence: 0.97, timeUs: 10 * SECOND },
      finding: { description: 'heat: too hot.', active: true, timeUs: SECOND },
    });
    expect(meter.samples).toBe(20);
    expect(meter.latency.quantile(0.5)).toBeGreaterThan(0);
    const { p50_ms: _p50, p99_ms: _p99, ...figures } = summarize(meter, [status(ledger({ in: 5, processed: 3, late: 1, repeated: 1 }))], (timeUs) => timeUs / SECOND);
    expect(figures).toEqual({
      in: 0, features: 0, inferences: 2, findings: 1, alarms: 1, dlq: 1, late: 1, lost: 0, duplicated: 0, first_alarm: { asset: 'P-101', fault: 1, at_row: 9 },
    });
  });

  it('calls lost what a processor took in and did not account for, and what it found missing', () => {
    const lost = (...entries: LedgerEntry[]) => summarize(meter, [status(...entries)], () => undefined).lost;
    expect(lost(ledger({ in: 10, processed: 7, deadLettered: 1, late: 1, repeated: 1 }))).toBe(0);
    expect(lost(ledger({ in: 10, processed: 7 }), ledger({ in: 3, processed: 3, missing: 2 }))).toBe(5);
    expect(summarize(meter, [], () => undefined).first_alarm).toBeNull();
  });
});
