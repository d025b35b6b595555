import { setTimeout as delay } from 'node:timers/promises';
import { SERVICES, type ServiceName } from '@millwright/cli/service-process';
import { TOPICS } from '@millwright/contracts';
import { PARTITIONS, type Line } from './line.js';

/** What can be killed. */
export type Target = ServiceName | 'Kafka' | 'Redis';

/** Topics that a service puts its results out to. What inference finds of drift goes to that of quality, and tells nothing of either. */
const RESULTS: Readonly<Record<ServiceName, string>> = {
  ingestion: TOPICS.telemetry.name,
  features: TOPICS.features.name,
  inference: TOPICS.inferences.name,
  quality: TOPICS.quality.name,
  alerting: TOPICS.alarms.name,
};

/** Whose output each one lives on. */
const UPSTREAM: Readonly<Record<ServiceName, readonly ServiceName[]>> = {
  ingestion: [],
  features: ['ingestion'],
  inference: ['ingestion', 'features'],
  quality: ['ingestion', 'features'],
  alerting: ['ingestion', 'features', 'inference', 'quality'],
};

/** Seconds from a kill to the first output after it, at most. */
const BOUND_S: Readonly<Record<Target, number>> = { ingestion: 10, features: 10, inference: 10, quality: 10, alerting: 10, Kafka: 15, Redis: 10 };
/** However many kills follow each other, after this long there is output. */
const LONGEST_S = 90;
const POLL_MS = 50;

/** Something that was killed and has not put out anything since. */
interface Outage {
  readonly target: Target;
  readonly firstMs: number;
  /** Of the last kill that it suffered from, milliseconds since the Unix epoch. */
  sinceMs: number;
  boundS: number;
  /** Partitions of topics that must put out again, as `<topic>/<partition>`. */
  readonly silent: Set<string>;
}

/**
 * Measures how long after each kill every partition that suffered from it puts out again; marks of event time count, since the writer
 * has done with all before them. Where a second kill hits all that is still silent (the same service, one that it lives on, or the broker)
 * before that, the time counts from the second one.
 */
export class Recovery {
  readonly failures: string[] = [];
  /** The longest for each target, seconds. */
  readonly worst = new Map<Target, number>();
  readonly #line: Line;
  readonly #outages = new Set<Outage>();
  readonly #unwatch: () => void;

  constructor(line: Line) {
    this.#line = line;
    this.#unwatch = line.outputs.watch((topic, partition, source, writtenMs) => {
      if (!source.startsWith('inference-drift/')) this.#seen(`${topic}/${partition}`, writtenMs);
    });
  }

  get worstS(): number | undefined {
    return this.worst.size === 0 ? undefined : Math.max(...this.worst.values());
  }

  /** A process that held these partitions was killed at `atMs`. */
  serviceKilled(service: ServiceName, partitions: readonly number[], atMs: number): void {
    const affected = new Set(SERVICES.filter((each) => each === service || UPSTREAM[each].includes(service)).map((each) => RESULTS[each]));
    this.#delay(({ silent }) => [...silent].every((place) => affected.has(topicOf(place))), atMs, BOUND_S[service]);
    if (service === 'ingestion') void this.#awaitTelemetry(atMs);
    else this.#add(service, partitions.map((partition) => `${RESULTS[service]}/${partition}`), atMs);
  }

  serverKilled(server: 'Kafka' | 'Redis', atMs: number): void {
    if (server === 'Kafka') this.#delay(() => true, atMs, BOUND_S.Kafka);
    const topics = SERVICES.filter((service) => service !== 'ingestion').map((service) => RESULTS[service]);
    this.#add(server, topics.flatMap((topic) => Array.from({ length: PARTITIONS }, (_, partition) => `${topic}/${partition}`)), atMs);
  }

  /** Resolves when all has recovered, or has failed to. */
  async settled(): Promise<void> {
    for (; this.#outages.size > 0; await delay(POLL_MS)) this.#giveUp();
    this.#unwatch();
  }

  #add(target: Target, silent: Iterable<string>, atMs: number): Outage {
    const outage = { target, firstMs: atMs, sinceMs: atMs, boundS: BOUND_S[target], silent: new Set(silent) };
    if (outage.silent.size > 0) this.#outages.add(outage);
    return outage;
  }

  #delay(suffers: (outage: Outage) => boolean, atMs: number, boundS: number): void {
    for (const outage of this.#outages) {
      if (!suffers(outage)) continue;
      outage.sinceMs = atMs;
      outage.boundS = Math.max(outage.boundS, boundS);
    }
  }

  #seen(place: string, writtenMs: number): void {
    for (const outage of this.#outages) {
      if (writtenMs <= outage.sinceMs) continue;
      outage.silent.delete(place);
      if (outage.silent.size === 0) this.#over(outage);
    }
  }

  /** Telemetry is too much to be read for this: its end is asked for. */
  async #awaitTelemetry(atMs: number): Promise<void> {
    const topic = RESULTS.ingestion;
    const outage = this.#add('ingestion', [topic], atMs);
    let before: ReadonlyMap<string, number> | undefined;
    for (; this.#outages.has(outage); await delay(POLL_MS)) {
      let ends;
      try {
        ends = await this.#line.outputs.ends([topic]);
      } catch {
        // The broker is away too: asked again when it is back.
        continue;
      }
      before ??= ends;
      if ([...ends].some(([place, offset]) => offset > before!.get(place)!)) {
        outage.silent.clear();
        this.#over(outage);
      }
    }
  }

  #over(outage: Outage): void {
    this.#outages.delete(outage);
    const { target, sinceMs, boundS } = outage;
    const seconds = (Date.now() - sinceMs) / 1000;
    this.worst.set(target, Math.max(seconds, this.worst.get(target) ?? 0));
    if (seconds > boundS) this.failures.push(`${target}: ${seconds.toFixed(1)} s from the kill to the first output after it, at most ${boundS} are allowed`);
  }

  #giveUp(): void {
    for (const outage of this.#outages) {
      if (Date.now() - outage.firstMs < LONGEST_S * 1000) continue;
      this.#outages.delete(outage);
      this.failures.push(`${outage.target}: no output within ${LONGEST_S} s after a kill at ${[...outage.silent].join(', ')}`);
    }
  }
}

const topicOf = (place: string): string => place.split('/')[0]!;
