import { ProductionRecord, TelemetryBlock, TOPICS, type Refusal } from '@millwright/contracts';
import { ATTRIBUTES, METRICS, runtimeTelemetry, type Telemetry } from '@millwright/observability';
import type { Plant } from '@millwright/plant';
import type { EventLog, RuntimeLogger } from '@millwright/streams';
import { ByteBudget } from './byte-budget.js';
import { IntakeLane } from './intake-lane.js';
import { IntakeMeter } from './intake-meter.js';
import { ProductionCheck } from './production-check.js';
import { Problems } from './refusal.js';
import { checkSource, checkTime } from './sender-check.js';
import type { IngestionSettings } from './settings.js';
import { TelemetryCheck } from './telemetry-check.js';
import { WatermarkTracker } from './watermark-tracker.js';
import { WatermarkWriter } from './watermark-writer.js';

export interface IntakeOptions {
  readonly plant: Plant;
  readonly log: EventLog;
  readonly logger: RuntimeLogger;
  readonly telemetry: Telemetry;
  /** Unique among the processes that take data in. */
  readonly instance: string;
  readonly settings: IngestionSettings;
  /** Milliseconds since the epoch; Date.now by default. */
  readonly now?: () => number;
}

/** All ways into Millwright's log: telemetry, production records, and event time. gRPC and in-process replays share it. */
export interface Intake {
  readonly telemetry: IntakeLane<TelemetryBlock>;
  readonly production: IntakeLane<ProductionRecord>;
  /** `source` promises to send nothing older than `toUs`, microseconds of event time. Returns why the promise is not taken, if so. */
  advance(source: string, toUs: number): readonly Refusal[];
  /** Writes event time into the log now, after all promises so far: for the end of a replay. Otherwise it is written about once a second. */
  flush(): Promise<void>;
  /** Writes the last watermark and stops. */
  close(): Promise<void>;
}

/** Opens the intake on a log whose topics exist. */
export async function openIntake({ plant, log, logger, telemetry, instance, settings, now = Date.now }: IntakeOptions): Promise<Intake> {
  const budget = new ByteBudget(settings.maxInFlightBytes);
  const topics = [TOPICS.telemetry.name, TOPICS.production.name];
  const tracker = new WatermarkTracker(settings);
  const watermarks = new WatermarkWriter({
    log,
    topics,
    source: `ingestion/${instance}`,
    tracker,
    // Of a clock that nobody sets: where the day's is set by an hour, an hour of silence has not passed.
    now: () => performance.now(),
    logger,
  });
  const context = {
    log,
    logger,
    budget,
    runtime: runtimeTelemetry(telemetry),
    meter: new IntakeMeter(telemetry),
    partitions: await log.partitions(TOPICS.telemetry.name),
    observe: (source: string, timeUs: number) => watermarks.observe(source, timeUs),
  };
  const checkOptions = { now, maxAheadMs: settings.maxAheadMs };
  const blocks = new TelemetryCheck(plant, checkOptions);
  const records = new ProductionCheck(plant, checkOptions);
  const { intakeInFlight, intakeSources, watermarkDelay } = METRICS;
  telemetry.observe([intakeInFlight, intakeSources, watermarkDelay], (report) => {
    report(intakeInFlight, budget.used);
    report(intakeSources, tracker.sources);
    if (watermarks.writtenUs === -Infinity) return;
    for (const topic of topics) report(watermarkDelay, now() / 1e3 - watermarks.writtenUs / 1e6, { [ATTRIBUTES.processor]: 'ingestion', [ATTRIBUTES.topic]: topic });
  });
  await watermarks.start(settings.watermarkMs);
  return {
    telemetry: new IntakeLane(
      {
        topic: TOPICS.telemetry.name,
        schema: TOPICS.telemetry.schema,
        field: 'blocks',
        codec: TelemetryBlock,
        check: (block, bytes, problems) => blocks.check(block, bytes, problems),
        timeUs: (block) => block.startUs,
      },
      context,
    ),
    production: new IntakeLane(
      {
        topic: TOPICS.production.name,
        schema: TOPICS.production.schema,
        field: 'records',
        codec: ProductionRecord,
        check: (record, bytes, problems) => records.check(record, bytes, problems),
        timeUs: (record) => record.timeUs,
      },
      context,
    ),
    advance(source, toUs) {
      const problems = new Problems('');
      checkSource(source, problems);
      checkTime('advance_to_us', toUs, toUs, checkOptions, problems);
      if (problems.refusals.length === 0) watermarks.advance(source, toUs);
      return problems.refusals;
    },
    flush: () => watermarks.flush(),
    close: () => watermarks.end(),
  };
}
