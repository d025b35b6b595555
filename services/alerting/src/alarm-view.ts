import { Alarm, AlarmEvent, AlarmState, TOPICS } from '@millwright/contracts';
import type { Plant } from '@millwright/plant';
import type { EventLog, LogRecord, RuntimeLogger, Tail } from '@millwright/streams';

/** Alarms that are normal again and still known, so that acknowledging them gets a helpful answer; the oldest go first. */
const MOST_NORMAL = 10_000;

/** Told of each change; must not throw. */
export type EventListener = (event: AlarmEvent) => void;

/** The alarms of all assets as alarm-states.v1 has them, and the events of alarms.v1 as they come. */
export class AlarmView {
  readonly #log: EventLog;
  readonly #plant: Plant;
  readonly #logger: RuntimeLogger;
  /** Open alarms; bounded by the conditions that the plant can have. */
  readonly #open = new Map<string, Alarm>();
  readonly #normal = new Map<string, Alarm>();
  readonly #changed = new Map<string, Set<() => void>>();
  readonly #listeners = new Set<EventListener>();
  #tails: Tail[] = [];
  #caughtUp: Promise<void> = Promise.resolve();
  #isCaughtUp = false;

  constructor(log: EventLog, plant: Plant, logger: RuntimeLogger) {
    this.#log = log;
    this.#plant = plant;
    this.#logger = logger;
  }

  /** Follows the log from its beginning; see caughtUp(). */
  async start(): Promise<void> {
    const states = await this.#log.tail({
      topics: [TOPICS.alarmStates.name],
      from: 'earliest',
      batch: ({ records }) => records.forEach((record) => this.#onState(record)),
    });
    this.#tails.push(states);
    const events = await this.#log.tail({
      topics: [TOPICS.alarms.name],
      from: 'latest',
      batch: ({ records }) => records.forEach((record) => this.#onEvent(record)),
    });
    this.#tails.push(events);
    this.#caughtUp = states.caughtUp().then(() => void (this.#isCaughtUp = true));
    // Who waits for it hears of a failure, which closing is.
    this.#caughtUp.catch(() => undefined);
  }

  /** Whether the view shows all that the log had when it was started. */
  get isCaughtUp(): boolean {
    return this.#isCaughtUp;
  }

  /** Resolves when it does; rejects when it is closed before. */
  caughtUp(): Promise<void> {
    return this.#caughtUp;
  }

  async close(): Promise<void> {
    await Promise.all(this.#tails.splice(0).map((tail) => tail.close()));
  }

  get(id: string): Alarm | undefined {
    return this.#open.get(id) ?? this.#normal.get(id);
  }

  /** Alarms that are not normal. */
  open(): Iterable<Alarm> {
    return this.#open.values();
  }

  /** Resolves to the alarm as soon as `shows` holds of it, or to undefined when `signal` aborts first. */
  async until(id: string, shows: (alarm: Alarm) => boolean, signal: AbortSignal): Promise<Alarm | undefined> {
    const found = Promise.withResolvers<Alarm | undefined>();
    const look = (): void => {
      const alarm = this.get(id);
      if (alarm !== undefined && shows(alarm)) found.resolve(alarm);
    };
    const give = (): void => found.resolve(undefined);
    const waiting = this.#changed.get(id) ?? new Set();
    this.#changed.set(id, waiting.add(look));
    signal.addEventListener('abort', give);
    if (signal.aborted) give();
    look();
    try {
      return await found.promise;
    } finally {
      signal.removeEventListener('abort', give);
      waiting.delete(look);
      if (waiting.size === 0 && this.#changed.get(id) === waiting) this.#changed.delete(id);
    }
  }

  /** @returns a function that ends it */
  listen(listener: EventListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #onState(record: LogRecord): void {
    const alarm = this.#decoded(record, TOPICS.alarmStates.schema, Alarm);
    // An asset that is no longer in the plant file has no alarms: nothing could clear or acknowledge them.
    if (alarm === undefined || !this.#plant.assets.has(alarm.asset)) return;
    this.#open.delete(alarm.id);
    this.#normal.delete(alarm.id);
    if (alarm.state !== AlarmState.NORMAL) this.#open.set(alarm.id, alarm);
    else {
      this.#normal.set(alarm.id, alarm);
      if (this.#normal.size > MOST_NORMAL) this.#normal.delete(this.#normal.keys().next().value as string);
    }
    for (const look of this.#changed.get(alarm.id) ?? []) look();
  }

  #onEvent(record: LogRecord): void {
    const event = this.#decoded(record, TOPICS.alarms.schema, AlarmEvent);
    if (event === undefined) return;
    for (const listener of this.#listeners) listener(event);
  }

  #decoded<T>({ topic, partition, offset, headers, value }: LogRecord, schema: string, codec: { decode(value: Uint8Array): T }): T | undefined {
    if (headers.schema !== schema) return undefined; // A watermark.
    try {
      return codec.decode(value);
    } catch (error) {
      this.#logger.error({ topic, partition, offset, err: error }, `record ${topic}/${partition}@${offset} is no ${schema} and is not shown`);
      return undefined;
    }
  }
}
