import {
  Alarm,
  AlarmEvent,
  AlarmEventType,
  AlarmState,
  deadLetterTopic,
  Finding,
  InferenceResult,
  lateTopic,
  LINE_ENDS,
  TOPICS,
  Watermark,
  WATERMARK_SCHEMA,
  type SourceStep,
  type Topic,
} from '@millwright/contracts';
import { SequenceTracker, type EventLog, type LogBatch, type LogRecord, type Tail } from '@millwright/streams';
import { LatencyMeter } from './latency.js';

/** What is known of one asset. */
export interface AssetView {
  diagnosis?: { readonly label: string; readonly normal: boolean; readonly confidence: number; readonly timeUs: number };
  finding?: { readonly description: string; readonly active: boolean; readonly timeUs: number };
}

/** The first alarm that names a fault. */
export interface FirstAlarm {
  readonly asset: string;
  readonly fault: string;
  readonly timeUs: number;
}

/** Topics in which (source, sequence) counts per key, as senders number their records per asset. */
const PER_KEY: ReadonlySet<string> = new Set([TOPICS.telemetry.name, TOPICS.production.name]);
const FOLLOWED: readonly string[] = [
  ...[TOPICS.telemetry, TOPICS.production, TOPICS.features, TOPICS.inferences, TOPICS.quality, TOPICS.alarms].map(({ name }) => name),
  ...Object.values<Topic>(TOPICS)
    .filter(({ consumed }) => consumed)
    .flatMap(({ name }) => [deadLetterTopic(name), lateTopic(name)]),
];

/** Reads every topic of the line as any reader could, and counts: what came, what is missing, what came twice, how long it took. */
export class PipelineMeter {
  readonly latency = new LatencyMeter();
  /** By asset. */
  readonly assets = new Map<string, AssetView>();
  /** Alarms that are not normal, by id. */
  readonly openAlarms = new Map<string, Alarm>();
  firstAlarm: FirstAlarm | undefined;
  /** Diagnosed windows so far. */
  diagnoses = 0;
  raised = 0;
  cleared = 0;
  samples = 0;
  /** Event time reached by the source, microseconds. */
  eventTimeUs = -Infinity;
  duplicated = 0;
  readonly #counts = new Map<string, number>();
  readonly #trackers = new Map<string, SequenceTracker>();
  /** By topic and who wrote it, which names the partition: `<topic> <processor>/<partition>`. */
  readonly #watermarks = new Map<string, number>();
  readonly #partitions = new Map<string, number>();
  #waiting: { readonly timeUs: number; readonly resolve: () => void }[] = [];
  #tails: Tail[] = [];

  /** Starts reading what comes from now on; resolves when it does. */
  async attach(log: EventLog): Promise<void> {
    for (const [topic] of LINE_ENDS) this.#partitions.set(topic, await log.partitions(topic));
    this.#tails = await Promise.all([
      log.tail({ topics: FOLLOWED, from: 'latest', batch: (batch) => this.#batch(batch) }),
      log.tail({ topics: [TOPICS.alarmStates.name], from: 'earliest', batch: (batch) => this.#states(batch) }),
    ]);
  }

  async close(): Promise<void> {
    await Promise.all(this.#tails.map((tail) => tail.close()));
  }

  /** A step of the source is being handed in. */
  arrived({ blocks, advanceToUs }: SourceStep): void {
    const now = performance.now();
    for (const block of blocks) {
      this.latency.arrived(block, now);
      this.samples += block.count * block.signals.length;
    }
    this.eventTimeUs = Math.max(this.eventTimeUs, advanceToUs);
  }

  /** Data records read from a topic. */
  count(topic: Topic): number {
    return this.#counts.get(topic.name) ?? 0;
  }

  /** Records of all dead-letter topics. */
  get deadLettered(): number {
    return this.#sum(deadLetterTopic);
  }

  /** Records of all late topics. */
  get late(): number {
    return this.#sum(lateTopic);
  }

  /** Sequence numbers that never came, over all topics. */
  get lost(): number {
    let lost = 0;
    for (const tracker of this.#trackers.values()) lost += tracker.missing;
    return lost;
  }

  /** Resolves when event time `timeUs` has come out at every end of the line: all before it is done with. */
  waitForWatermark(timeUs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ timeUs, resolve });
      this.#settle();
    });
  }

  #sum(nameOf: (topic: string) => string): number {
    return Object.values<Topic>(TOPICS).reduce((sum, { name }) => sum + (this.#counts.get(nameOf(name)) ?? 0), 0);
  }

  #batch({ topic, partition, records }: LogBatch): void {
    const now = performance.now();
    let advanced = false;
    for (const record of records) {
      // Copies in .dlq and .late keep the numbers that they had.
      const counted = !topic.endsWith('.late');
      if (counted && !this.#isNew(topic, partition, record)) continue;
      if (record.headers.schema === WATERMARK_SCHEMA) {
        const watermark = decoded(Watermark, record);
        const key = `${topic} ${record.headers.source}`;
        this.#watermarks.set(key, Math.max(this.#watermarks.get(key) ?? -Infinity, watermark?.timeUs ?? -Infinity));
        advanced = true;
        continue;
      }
      this.#counts.set(topic, (this.#counts.get(topic) ?? 0) + 1);
      if (topic === TOPICS.features.name) this.#view(record.key);
      else if (topic === TOPICS.inferences.name) this.#inference(record, now);
      else if (topic === TOPICS.quality.name) this.#finding(record);
      else if (topic === TOPICS.alarms.name) this.#alarm(record, now);
    }
    if (advanced) this.#settle();
  }

  /** Whether a record is the first of its number. Forwarded watermarks have none (0): one more says nothing new. */
  #isNew(topic: string, partition: number, { key, headers }: LogRecord): boolean {
    if (headers.sequence < 1) return true;
    const watermark = headers.schema === WATERMARK_SCHEMA;
    const id = PER_KEY.has(topic) && !watermark ? `${topic} ${headers.source} ${key}` : `${topic}/${partition} ${headers.source}`;
    let tracker = this.#trackers.get(id);
    // Reading may begin in the middle of a source's numbers.
    if (tracker === undefined) this.#trackers.set(id, (tracker = new SequenceTracker(headers.sequence - 1)));
    const fresh = tracker.observe(headers.sequence);
    if (!fresh) this.duplicated++;
    return fresh;
  }

  #view(asset: string): AssetView {
    let view = this.assets.get(asset);
    if (view === undefined) this.assets.set(asset, (view = {}));
    return view;
  }

  #inference(record: LogRecord, now: number): void {
    const inference = decoded(InferenceResult, record);
    if (inference === undefined) return;
    const { asset, windowEndUs, result, revision } = inference;
    if (revision === 0) this.latency.appeared(asset, windowEndUs, now);
    if (result?.$case !== 'diagnosis') return;
    const { label, normal, confidence } = result.value;
    this.diagnoses++;
    this.#view(asset).diagnosis = { label, normal, confidence, timeUs: windowEndUs };
  }

  #finding(record: LogRecord): void {
    const finding = decoded(Finding, record);
    if (finding === undefined) return;
    const { asset, description, active, timeUs } = finding;
    this.#view(asset).finding = { description, active, timeUs };
  }

  #alarm(record: LogRecord, now: number): void {
    const event = decoded(AlarmEvent, record);
    if (event?.alarm === undefined) return;
    const { type, timeUs, alarm } = event;
    if (type === AlarmEventType.RAISED) {
      this.raised++;
      this.latency.appeared(alarm.asset, timeUs, now);
      if (this.firstAlarm === undefined && alarm.fault !== '') this.firstAlarm = { asset: alarm.asset, fault: alarm.fault, timeUs };
    } else if (type === AlarmEventType.CLEARED) this.cleared++;
  }

  #states({ records }: LogBatch): void {
    for (const record of records) {
      if (record.headers.schema === WATERMARK_SCHEMA) continue;
      const alarm = decoded(Alarm, record);
      if (alarm === undefined) continue;
      if (alarm.state === AlarmState.NORMAL) this.openAlarms.delete(alarm.id);
      else this.openAlarms.set(alarm.id, alarm);
    }
  }

  #settle(): void {
    if (this.#waiting.length === 0) return;
    let reached = Infinity;
    for (const [topic, writer] of LINE_ENDS) {
      for (let partition = 0; partition < this.#partitions.get(topic)!; partition++) {
        reached = Math.min(reached, this.#watermarks.get(`${topic} ${writer}/${partition}`) ?? -Infinity);
      }
    }
    this.#waiting = this.#waiting.filter(({ timeUs, resolve }) => {
      if (reached < timeUs) return true;
      resolve();
      return false;
    });
  }
}

/** The message in a record; undefined where it is none: it counts, the processors put it into the dead letters, and there is nothing to show. */
function decoded<T>(codec: { decode(value: Uint8Array): T }, { value }: LogRecord): T | undefined {
  try {
    return codec.decode(value);
  } catch {
    return undefined;
  }
}
