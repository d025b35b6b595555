/** One topic of the system. The key of every record is an asset id unless said otherwise, so one asset's data stays in order. */
export interface Topic {
  readonly name: string;
  /** Full name of the protobuf message in the values (watermarks aside). */
  readonly schema: string;
  readonly key: 'asset' | 'alarm' | 'model';
  /** Days kept; compacted topics keep the last value of each key. */
  readonly retentionDays: number;
  readonly compacted: boolean;
  /** Whether `<name>.dlq` and `<name>.late` exist: true for what processors consume. */
  readonly consumed: boolean;
  /** Whether watermarks stand among its records: not where people write, who keep no pace. */
  readonly timed: boolean;
  /**
   * Processors that write to it, too, and whose watermarks its readers don't go by: what they write may come behind the watermark. If readers
   * went by the least of all writers, these would hold up what does not depend on them whenever they stand still.
   */
  readonly unpaced?: readonly string[];
}

/** The one table of topics. All have the same number of partitions, so that partition p of one feeds partition p of the next. */
export const TOPICS = {
  telemetry: { name: 'telemetry.v1', schema: 'millwright.telemetry.v1.TelemetryBlock', key: 'asset', retentionDays: 7, compacted: false, consumed: true, timed: true },
  production: { name: 'production.v1', schema: 'millwright.production.v1.ProductionRecord', key: 'asset', retentionDays: 90, compacted: false, consumed: true, timed: true },
  features: { name: 'features.v1', schema: 'millwright.features.v1.FeatureVector', key: 'asset', retentionDays: 30, compacted: false, consumed: true, timed: true },
  inferences: { name: 'inferences.v1', schema: 'millwright.inference.v1.InferenceResult', key: 'asset', retentionDays: 90, compacted: false, consumed: true, timed: true },
  shadows: { name: 'shadow-inferences.v1', schema: 'millwright.inference.v1.ShadowResult', key: 'asset', retentionDays: 30, compacted: false, consumed: false, timed: true },
  quality: { name: 'quality.v1', schema: 'millwright.quality.v1.Finding', key: 'asset', retentionDays: 90, compacted: false, consumed: true, timed: true, unpaced: ['inference-drift'] },
  alarmCommands: { name: 'alarm-commands.v1', schema: 'millwright.alarm.v1.AlarmCommand', key: 'asset', retentionDays: 365, compacted: false, consumed: true, timed: false },
  alarms: { name: 'alarms.v1', schema: 'millwright.alarm.v1.AlarmEvent', key: 'alarm', retentionDays: 365, compacted: false, consumed: false, timed: true },
  alarmStates: { name: 'alarm-states.v1', schema: 'millwright.alarm.v1.Alarm', key: 'alarm', retentionDays: 365, compacted: true, consumed: false, timed: true },
  models: { name: 'models.v1', schema: 'millwright.model.v1.ModelVersion', key: 'model', retentionDays: 365, compacted: true, consumed: false, timed: false },
} as const satisfies Record<string, Topic>;

/** Ends of the line, and the processors that write there: when the watermark of each has come out, all before it has. */
export const LINE_ENDS: readonly (readonly [topic: string, writer: string])[] = [
  [TOPICS.features.name, 'features'],
  [TOPICS.inferences.name, 'inference'],
  [TOPICS.quality.name, 'quality'],
  [TOPICS.quality.name, 'inference-drift'],
  [TOPICS.alarms.name, 'alerting'],
];

/** Schema of the watermark records that stand among the data of timed topics. */
export const WATERMARK_SCHEMA = 'millwright.stream.v1.Watermark';
/** Schema of the records of `<topic>.dlq`. */
export const DEAD_LETTER_SCHEMA = 'millwright.stream.v1.DeadLetter';

export const deadLetterTopic = (topic: string): string => `${topic}.dlq`;
export const lateTopic = (topic: string): string => `${topic}.late`;
