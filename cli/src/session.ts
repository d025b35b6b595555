import { setTimeout as delay } from 'node:timers/promises';
import type { Source, SourceStep } from '@millwright/contracts';
import { summarize, type PipelineMeter, type Summary } from '@millwright/liveview';
import { pace } from '@millwright/replay';
import type { Line } from './line.js';

/** Steps handed in that the log need not have yet. */
const STEPS_IN_FLIGHT = 32;
/** Between snapshots: what a killed run has to repeat. */
const KEEP_MS = 500;
/** How long the line may take to finish what is in it when a run ends. */
const DRAIN_MS = 60_000;

export interface SessionOptions {
  readonly line: Line;
  readonly source: Source;
  readonly meter: PipelineMeter;
  readonly speed: number | 'max';
  /** Ends the session early, in order. */
  readonly signal: AbortSignal;
  /** For sources that can go on another time. */
  readonly resumption?: Resumption;
}

/** Where a source goes on another time. */
export interface Resumption {
  /** All that the source needs to go on from here. */
  snapshot(): Uint8Array;
  /** Keeps a snapshot, now and then and at the end, when the log has everything that the source gave before it. */
  keep(snapshot: Uint8Array): void;
}

/** How a session ended. */
export interface SessionEnd {
  readonly summary: Summary;
  /** What went wrong in the line, if something did. */
  readonly problem?: string;
  /** Why the source ended before its end, if it did; what it gave before has been dealt with. */
  readonly broken?: unknown;
}

/** Plays a source through a line until it ends or is ended, waits until the line has finished all of it, and counts. */
export async function runSession({ line, source, meter, speed, signal, resumption }: SessionOptions): Promise<SessionEnd> {
  const rows: RowMap = new RowMap();
  let problem: string | undefined;
  const failed = line.failed.then((reason) => {
    problem = reason;
  });
  let lastUs = -Infinity;
  const inFlight = new Set<Promise<void>>();
  let snapshot: Uint8Array | undefined;
  let keptMs = Date.now();
  const publish = async (step: SourceStep): Promise<void> => {
    try {
      await line.publish(source.name, step);
    } catch (error) {
      problem ??= `Data could not be taken in: ${(error as Error).message}`;
    }
  };
  let broken: unknown;
  try {
    for await (const step of pace(source, speed, { signal })) {
      meter.arrived(step);
      rows.add(step);
      lastUs = step.advanceToUs;
      const done = publish(step).finally(() => inFlight.delete(done));
      inFlight.add(done);
      if (inFlight.size >= STEPS_IN_FLIGHT) await Promise.race([...inFlight, failed]);
      // Taken here, before the source is asked for the next step: a step that is waited for when the session ends is not handed in.
      snapshot = resumption?.snapshot();
      if (snapshot !== undefined && Date.now() - keptMs > KEEP_MS) {
        await Promise.race([Promise.all(inFlight), failed]);
        if (problem === undefined) resumption?.keep(snapshot);
        keptMs = Date.now();
      }
      if (problem !== undefined) break;
    }
  } catch (error) {
    broken = error;
  }
  await Promise.race([Promise.all(inFlight), failed]);
  if (problem === undefined) {
    if (snapshot !== undefined) resumption?.keep(snapshot);
    if (lastUs > -Infinity) problem = await drain(line, source.name, meter, lastUs, failed);
  }
  const statuses = problem === undefined ? await line.statuses() : await line.statuses().catch(() => []);
  const summary = summarize(meter, statuses, (timeUs) => rows.at(timeUs));
  return { summary, ...(problem === undefined ? {} : { problem }), ...(broken === undefined ? {} : { broken }) };
}

async function drain(line: Line, source: string, meter: PipelineMeter, lastUs: number, failed: Promise<void>): Promise<string | undefined> {
  await line.finish(source, lastUs);
  const timeout = new AbortController();
  const drained = meter.waitForWatermark(lastUs).then(() => true);
  const late = delay(DRAIN_MS, false, { signal: timeout.signal }).catch(() => false);
  const done = await Promise.race([drained, late, failed.then(() => false)]);
  timeout.abort();
  if (done) return undefined;
  const stalled = (await line.statuses().catch(() => [])).flatMap((status) => (status.stalled === undefined ? [] : [`${status.processor}: ${status.stalled}`]));
  return `The line did not finish what it was given within ${DRAIN_MS / 1000} s${stalled.length > 0 ? ` (${stalled.join('; ')})` : ''}; its log says why.`;
}

/** Rows of the file by event time. */
class RowMap {
  readonly #timesUs: number[] = [];
  readonly #rows: number[] = [];

  add({ row, advanceToUs }: SourceStep): void {
    if (row === undefined) return;
    this.#timesUs.push(advanceToUs);
    this.#rows.push(row);
  }

  /** The row whose step covers an event time. */
  at(timeUs: number): number | undefined {
    let low = 0;
    let high = this.#timesUs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#timesUs[middle]! < timeUs) low = middle + 1;
      else high = middle;
    }
    return this.#rows[low];
  }
}
