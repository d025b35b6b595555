export interface WatermarkOptions {
  /** How much earlier than its latest a source's next data may begin, microseconds. */
  readonly outOfOrderUs: number;
  /** A source not heard of for this long no longer holds the watermark back, milliseconds; Infinity for replays, whose clock is not ours. */
  readonly idleMs: number;
}

interface ActiveSource {
  /** Nothing older than this is to come, microseconds. */
  timeUs: number;
  heardMs: number;
  /** It tells its event time itself, so its data need not be interpreted. */
  advances: boolean;
}

/**
 * Event time up to which nothing more is expected: the least over the sources that are heard of. When all are idle,
 * time goes on with the clock from where the furthest of them was, so that windows still close and silence is
 * noticed. Never decreases. Pure: the clock is an argument.
 */
export class WatermarkTracker {
  readonly #active = new Map<string, ActiveSource>();
  /** Of sources gone idle: the greatest difference between event time and the clock, microseconds. */
  #idleOffsetUs = -Infinity;
  #watermarkUs = -Infinity;

  constructor(private readonly options: WatermarkOptions) {}

  /**
   * `source` sent data that begins at `timeUs`. Its begin counts and not its end, since a gateway sends the same
   * stretch of time asset by asset; a source that advances by itself knows better and is left alone.
   */
  observe(source: string, timeUs: number, nowMs: number): void {
    const entry = this.#heard(source, nowMs);
    if (!entry.advances) entry.timeUs = Math.max(entry.timeUs, timeUs - this.options.outOfOrderUs);
  }

  /** `source` promises to send nothing older than `toUs`. */
  advance(source: string, toUs: number, nowMs: number): void {
    const entry = this.#heard(source, nowMs);
    entry.advances = true;
    entry.timeUs = Math.max(entry.timeUs, toUs);
  }

  /** Sources that hold the watermark now. */
  get sources(): number {
    return this.#active.size;
  }

  /** The watermark when the clock (one that is never set) shows `nowMs`, microseconds of event time; -Infinity before anything was heard. */
  at(nowMs: number): number {
    let least = Infinity;
    for (const [source, { timeUs, heardMs }] of this.#active) {
      if (nowMs - heardMs >= this.options.idleMs) {
        this.#active.delete(source);
        this.#idleOffsetUs = Math.max(this.#idleOffsetUs, timeUs - heardMs * 1000);
      } else {
        least = Math.min(least, timeUs);
      }
    }
    const now = this.#active.size > 0 ? least : Math.floor(nowMs * 1000 + this.#idleOffsetUs);
    this.#watermarkUs = Math.max(this.#watermarkUs, now);
    return this.#watermarkUs;
  }

  #heard(source: string, nowMs: number): ActiveSource {
    let entry = this.#active.get(source);
    if (entry === undefined) this.#active.set(source, (entry = { timeUs: -Infinity, heardMs: nowMs, advances: false }));
    entry.heardMs = Math.max(entry.heardMs, nowMs);
    return entry;
  }
}
