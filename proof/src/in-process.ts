import { setTimeout as pause } from 'node:timers/promises';
import { TOPICS, WATERMARK_SCHEMA, type SourceStep } from '@millwright/contracts';
import { PipelineMeter, unaccounted } from '@millwright/liveview';
import { createLogger, noTelemetry } from '@millwright/observability';
import type { Plant } from '@millwright/plant';
import { AlertingModule } from '@millwright/service-alerting';
import { FeaturesModule } from '@millwright/service-features';
import { InferenceModule } from '@millwright/service-inference';
import { DEFAULT_SETTINGS, INTAKE, IngestionModule, type IngestionSettings } from '@millwright/service-ingestion';
import { QualityModule } from '@millwright/service-quality';
import { startStandalone, type Standalone } from '@millwright/service-standalone';
import { ProcessorHost, readEnvironment, shellEnvironment, startShell, type Surroundings } from '@millwright/shell';
import { createSimulator } from '@millwright/simulator';
import { openEmbeddedLog, type EventLog, type LogRecord, type StateStore } from '@millwright/streams';
import { destination } from 'pino';
import type { Verdict } from './case.js';
import { compare } from './comparison.js';
import { outputOf, Recording } from './recording.js';

/** What a line is judged by. */
export const RESULTS: readonly string[] = [TOPICS.features, TOPICS.inferences, TOPICS.quality, TOPICS.alarms].map(({ name }) => name);

/** How long a line may take to work off what it was given. */
const DRAIN_MS = 120_000;
const RETRY_MS = 50;

/** The first seconds of the simulated plant: the same for the same plant file. */
export function simulated(plant: Plant, seconds: number): SourceStep[] {
  const simulator = createSimulator(plant, 'proof');
  return Array.from({ length: seconds }, () => simulator.step());
}

export interface LineOptions {
  readonly plant: Plant;
  /** File of an embedded log; or a log and a store, which stay the caller's. */
  readonly on: string | { readonly log: EventLog; readonly store: StateStore };
  readonly ingestion?: Partial<IngestionSettings>;
  readonly environment?: Readonly<Record<string, string>>;
  /** For its log lines; nowhere by default. */
  readonly logFile?: string;
}

/** The part of a line that differs by what it stands on. */
type Running = Pick<Standalone, 'log' | 'intake' | 'statuses' | 'close'>;

/** All five services in this process, as a case feeds and watches them. */
export class InProcessLine {
  readonly #running: Running;
  readonly #meter = new PipelineMeter();
  #reachedUs = -Infinity;
  #source = '';

  private constructor(running: Running) {
    this.#running = running;
  }

  static async start({ plant, on, ingestion, environment, logFile }: LineOptions): Promise<InProcessLine> {
    const env = { MILLWRIGHT_PLANT: plant.name, MILLWRIGHT_PARTITIONS: '2', GRPC_PORT: '0', HTTP_PORT: '0', LISTEN_HOST: '127.0.0.1', LOG_LEVEL: 'silent', MILLWRIGHT_INSTANCE: 'proof', ...environment };
    const { config } = readEnvironment({ config: shellEnvironment }, env);
    const settings = { ...DEFAULT_SETTINGS, idleMs: Infinity, maxAheadMs: Infinity, watermarkMs: 50, ...ingestion };
    const logger = logFile === undefined ? createLogger({ service: 'proof', level: 'silent' }) : createLogger({ service: 'proof', level: 'info', destination: destination({ dest: logFile, sync: true }) });
    const surroundings = { plant, config, logger, telemetry: noTelemetry };
    const running = typeof on === 'string' ? await startStandalone({ ...surroundings, file: on, ingestion: settings }) : await startOn({ ...surroundings, ...on }, settings);
    const line = new InProcessLine(running);
    await line.#meter.attach(line.log);
    return line;
  }

  get log(): EventLog {
    return this.#running.log;
  }

  /** Why processors make no progress, a sentence each. */
  get stalls(): string[] {
    return this.#running.statuses().flatMap(({ stalled }) => stalled ?? []);
  }

  /** Records that came in and that the ledger does not account for. */
  get unaccounted(): number {
    return unaccounted(this.#running.statuses());
  }

  statuses(): ReturnType<Standalone['statuses']> {
    return this.#running.statuses();
  }

  /** Sum of one column of the ledger over all processors. */
  sum(column: 'in' | 'processed' | 'deadLettered' | 'late' | 'repeated' | 'missing'): number {
    return this.statuses().reduce((sum, { ledger }) => sum + ledger.reduce((part, entry) => part + entry[column], 0), 0);
  }

  /**
   * Hands a step in as a sender does: what the log does not take is sent again, until it is taken. Resolves when the log has it.
   * @param refused told why the log did not take it, each time
   * @param promise whether the source promises to send nothing older any more
   */
  async give({ production, blocks, advanceToUs }: SourceStep, refused: (reason: string) => void = () => undefined, promise = true): Promise<void> {
    const { intake } = this.#running;
    for (;;) {
      const receipts = [await intake.production.take(production), await intake.telemetry.take(blocks)];
      const refusal = receipts.flatMap(({ refusals }) => refusals)[0];
      if (refusal !== undefined) throw new Error(`ingestion refused ${refusal.field}: ${refusal.description}`);
      const results = await Promise.allSettled(receipts.map(({ durable }) => durable));
      const failed = results.find((result) => result.status === 'rejected');
      if (failed === undefined) break;
      refused((failed.reason as Error).message);
      await pause(RETRY_MS);
    }
    if (promise) this.advance(blocks[0]?.source ?? production[0]?.source ?? this.#source, advanceToUs);
  }

  /** Promises that a source sends nothing older any more. */
  advance(source: string, toUs: number): void {
    this.#source = source;
    this.#reachedUs = toUs;
    this.#running.intake.advance(source, toUs);
  }

  /** Resolves when all that was given up to the last promise has come out at the end. */
  async drained(): Promise<void> {
    const late = new AbortController();
    for (const deadline = performance.now() + DRAIN_MS; performance.now() < deadline; await pause(RETRY_MS)) {
      // A full disk refuses watermarks as well.
      const written = await this.#running.intake.flush().then(() => true, () => false);
      if (!written) continue;
      const done = await Promise.race([
        this.#meter.waitForWatermark(this.#reachedUs).then(() => true),
        pause(DRAIN_MS, false, { signal: late.signal }).catch(() => false),
      ]);
      late.abort();
      if (done) return;
    }
    throw new Error(`the line did not work off what it was given within ${DRAIN_MS / 1000} s (${this.stalls.join('; ') || 'nothing says why'})`);
  }

  /** Records what has come out so far; see recorded. */
  results(file: string, wanted?: (record: LogRecord) => boolean): Promise<Recording> {
    return recorded(this.log, file, wanted);
  }

  async close(): Promise<void> {
    await this.#meter.close();
    await this.#running.close();
  }
}

/** All data records of some topics, in order within each partition of each. */
export async function readData(log: EventLog, topics: readonly string[]): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  const tail = await log.tail({
    topics,
    from: 'earliest',
    batch: (batch) => {
      for (const record of batch.records) if (record.headers.schema !== WATERMARK_SCHEMA) records.push({ ...record, value: record.value.slice() });
    },
  });
  await tail.caughtUp();
  await tail.close();
  return records;
}

/**
 * Records what a line has put out.
 * @param file for the values, made anew
 * @param wanted which records are to be recorded
 */
export async function recorded(log: EventLog, file: string, wanted: (record: LogRecord) => boolean = () => true): Promise<Recording> {
  const recording = new Recording(file);
  await recordMore(log, recording, wanted);
  return recording;
}

/** Adds to a recording the results that are wanted. */
export async function recordMore(log: EventLog, recording: Recording, wanted: (record: LogRecord) => boolean): Promise<void> {
  for (const record of await readData(log, RESULTS)) if (wanted(record)) recording.add(outputOf(record));
}

/** Reads something from the file of an embedded log that no line is using. */
export async function readFrom<T>(file: string, read: (log: EventLog) => Promise<T>): Promise<T> {
  const log = openEmbeddedLog(file);
  try {
    return await read(log);
  } finally {
    await log.close();
  }
}

/** Plays steps through a line of its own, undisturbed, and records what came out in a file. */
export async function undisturbed(options: LineOptions, steps: Iterable<SourceStep>, file: string): Promise<Recording> {
  const line = await InProcessLine.start(options);
  try {
    for (const step of steps) await line.give(step);
    await line.drained();
    return await line.results(file);
  } finally {
    await line.close();
  }
}

/** The verdict on what came out of a disturbed run, beside what the case itself found wrong. */
export function judge(expected: Recording, actual: Recording, { failures, ...found }: Pick<Verdict, 'killed' | 'recovery_s' | 'failures'>): Verdict {
  // Writers' numbers go across keys, whose order among each other is no part of the log; that none is missing is seen by themselves.
  const { lost, duplicated, identical, differences } = compare(expected, actual);
  const silent = RESULTS.filter((topic) => expected.count(topic) === 0).map((topic) => `nothing came out on ${topic}, so that nothing is shown of it`);
  return { ...found, lost, duplicated, identical, failures: [...failures, ...silent, ...differences, ...actual.misnumbered.slice(0, 3)] };
}

async function startOn(surroundings: Surroundings, settings: IngestionSettings): Promise<Running> {
  const shell = await startShell(surroundings, [IngestionModule.forRoot(settings), FeaturesModule, InferenceModule, QualityModule, AlertingModule]);
  const processors = shell.context.get(ProcessorHost, { strict: false });
  return {
    log: surroundings.log,
    intake: shell.context.get<Standalone['intake']>(INTAKE, { strict: false }),
    statuses: () => processors.status(),
    close: () => shell.close(),
  };
}
