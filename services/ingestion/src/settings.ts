import { integer } from '@millwright/shell';
import { z } from 'zod';

/** Variables of the environment that only ingestion has. */
export const ingestionEnvironment = z
  .object({
    MILLWRIGHT_WATERMARK_MS: integer(10, 60_000, 1_000),
    MILLWRIGHT_OUT_OF_ORDER_MS: integer(0, 86_400_000, 1_000),
    MILLWRIGHT_SOURCE_IDLE_MS: integer(1_000, 86_400_000, 10_000),
    MILLWRIGHT_MAX_AHEAD_MS: integer(0, 86_400_000, 300_000),
    MILLWRIGHT_INTAKE_BYTES: integer(1_048_576, 1_073_741_824, 33_554_432),
  })
  .transform((env) => ({
    watermarkMs: env.MILLWRIGHT_WATERMARK_MS,
    outOfOrderUs: env.MILLWRIGHT_OUT_OF_ORDER_MS * 1000,
    idleMs: env.MILLWRIGHT_SOURCE_IDLE_MS,
    maxAheadMs: env.MILLWRIGHT_MAX_AHEAD_MS,
    maxInFlightBytes: env.MILLWRIGHT_INTAKE_BYTES,
  }));

export interface IngestionSettings {
  /** Milliseconds between watermarks. */
  readonly watermarkMs: number;
  /** How much earlier than its latest a source's next data may begin, microseconds. */
  readonly outOfOrderUs: number;
  /** A source not heard of for this long no longer holds the watermark back; Infinity for replays, whose every source must advance then. */
  readonly idleMs: number;
  /** How far event time may be ahead of the clock; Infinity for simulated time. */
  readonly maxAheadMs: number;
  /** Bytes taken in that the log need not have yet. */
  readonly maxInFlightBytes: number;
}

/** The settings of an empty environment. */
export const DEFAULT_SETTINGS: IngestionSettings = ingestionEnvironment.parse({});
