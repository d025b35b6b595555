import { setTimeout as delay } from 'node:timers/promises';
import { AlarmEvent, TOPICS, WATERMARK_SCHEMA, type SourceStep } from '@millwright/contracts';
import type { EventLog, Tail } from '@millwright/streams';
import { quantile } from './figure.js';
import type { PumpData } from './pumps.js';

/** Milliseconds between looks at what is due. */
const TICK_MS = 2;
/** A load is held when all alarms of a step are there so soon after the last data. */
const SETTLED_MS = 500;
/** How long a step that was too much may take to be worked off. */
const DRAIN_MS = 60_000;
const STEP_SECONDS = 4;
/** Before anything is measured: code gets compiled, and connections get opened. */
const WARM_UP_SECONDS = 20;
const LEAST_RATE = 40;
/** The rate at which a broker is warmed up, see warmUp(). */
const WARM_UP_RATE = 400;
const STEP_FACTOR = 1.25;
/** The least share of windows that must change an alarm; healthy pumps and faulty ones are told apart nearly always. */
const LEAST_SHARE = 0.95;

/** A line that is measured, wherever it runs. */
export interface MeasuredLine {
  readonly log: EventLog;
  /** Takes a step in; resolves when there is room for the next one. */
  publish(step: SourceStep): Promise<void>;
}

/** What came out of a stretch of time at a rate. */
export interface Stretch {
  /** Milliseconds from data in to alarm out. */
  readonly latencies: readonly number[];
  /** Windows that changed no alarm. */
  readonly unanswered: number;
  /** Whether the line kept up. */
  readonly held: boolean;
}

/** Feeds pumps to a line at a steady rate, and sees for each window how long the alarm takes that it raises or clears. */
export class AlarmLatency {
  readonly #line: MeasuredLine;
  readonly #data: PumpData;
  readonly #startUs: number;
  /** When the data of a window were due, by asset and end of the window. */
  readonly #due = new Map<string, number>();
  #latencies: number[] = [];
  #lastAnswerMs = 0;
  /** Windows sent. */
  #sent = 0;
  #tail: Tail | undefined;

  constructor(line: MeasuredLine, data: PumpData) {
    this.#line = line;
    this.#data = data;
    // Kafka drops records whose time is older than it is to keep, and ingestion refuses those ahead of the clock.
    this.#startUs = Math.floor(Date.now() / 1000 - 86_400) * 1_000_000;
  }

  async open(): Promise<void> {
    this.#tail = await this.#line.log.tail({
      topics: [TOPICS.alarms.name],
      from: 'latest',
      batch: ({ records }) => {
        const nowMs = performance.now();
        for (const { headers, value } of records) {
          if (headers.schema === WATERMARK_SCHEMA) continue;
          const { timeUs, alarm } = AlarmEvent.decode(value);
          const key = `${alarm?.asset ?? ''}/${timeUs}`;
          const dueMs = this.#due.get(key);
          if (dueMs === undefined) continue;
          this.#due.delete(key);
          this.#latencies.push(nowMs - dueMs);
          this.#lastAnswerMs = nowMs;
        }
      },
    });
  }

  async close(): Promise<void> {
    await this.#tail?.close();
  }

  /**
   * Runs for a while without looking. A broker's virtual machine compiles for some minutes under load; until then that takes up to half
   * a core, and the broker the same again, as it never does again in the weeks that it runs.
   */
  async warmUp(seconds: number): Promise<void> {
    await this.run(LEAST_RATE, WARM_UP_SECONDS);
    await this.run(WARM_UP_RATE, seconds);
  }

  /** The highest rate that is held, windows a second: found by going up step by step. */
  async highestRate(progress: (line: string) => void): Promise<number> {
    let highest = 0;
    for (let rate = LEAST_RATE; ; rate *= STEP_FACTOR) {
      const { held, latencies } = await this.run(rate, STEP_SECONDS);
      progress(`${Math.round(rate)} windows/s ${held ? 'held' : 'not held'}, p50 ${ms(quantile(latencies, 0.5))}, p99 ${ms(quantile(latencies, 0.99))}`);
      if (!held) break;
      highest = rate;
    }
    if (highest === 0) throw new Error(`not even ${LEAST_RATE} windows a second are held, or the models do not tell healthy pumps from faulty ones`);
    return highest;
  }

  /** Sends windows at a rate for a while, and waits for their alarms. */
  async run(rate: number, seconds: number): Promise<Stretch> {
    this.#due.clear();
    this.#latencies = [];
    const count = Math.round(rate * seconds);
    const began = performance.now();
    for (let sent = 0; sent < count; ) {
      const due = Math.min(count, Math.ceil(((performance.now() - began) / 1000) * rate));
      if (due > sent) await this.#send(due - sent, (i) => began + ((sent + i) / rate) * 1000);
      sent = Math.max(sent, due);
      await delay(TICK_MS);
    }
    const ended = performance.now();
    await this.#settled();
    const unanswered = this.#due.size;
    const answered = unanswered <= (1 - LEAST_SHARE) * count;
    const overdueMs = this.#lastAnswerMs - (began + seconds * 1000);
    return { latencies: this.#latencies, unanswered, held: answered && overdueMs < SETTLED_MS && ended - began < seconds * 1000 + SETTLED_MS };
  }

  /** Hands in the next windows: pump after pump, then the next window of all. */
  async #send(count: number, dueMs: (i: number) => number): Promise<void> {
    const { assets, hopUs } = this.#data;
    const blocks = [];
    for (let i = 0; i < count; i++) {
      const pump = this.#sent % assets.length;
      const index = Math.floor(this.#sent / assets.length);
      const startUs = this.#startUs + index * hopUs;
      this.#due.set(`${assets[pump]!}/${this.#data.endUs(startUs)}`, dueMs(i));
      blocks.push(...this.#data.blocks(pump, index, startUs));
      this.#sent++;
    }
    const advanceToUs = this.#startUs + Math.floor(this.#sent / assets.length) * hopUs;
    await this.#line.publish({ blocks, production: [], advanceToUs });
  }

  /** Waits until all windows are answered, or no more answers come. */
  async #settled(): Promise<void> {
    const began = performance.now();
    while (this.#due.size > 0 && performance.now() - began < DRAIN_MS) {
      if (performance.now() - Math.max(began, this.#lastAnswerMs) > 2_000) return;
      await delay(10);
    }
  }
}

const ms = (value: number): string => `${value.toFixed(0)} ms`;
