import type { ProductionRecord } from './generated/millwright/production/v1/production.js';
import type { TelemetryBlock } from './generated/millwright/telemetry/v1/telemetry.js';

/** Where a plant's data comes from when it is played rather than sent in: a file or a simulated plant. */
export interface Source {
  /** Stands in the `source` field of what it gives. */
  readonly name: string;
  /** The next step of event time; undefined when there is no more. Blocks of one asset come in the order of their sequence. */
  next(): Promise<SourceStep | undefined>;
  /** Lets go of files; next() must not be called afterwards. */
  close(): Promise<void>;
}

export interface SourceStep {
  readonly blocks: readonly TelemetryBlock[];
  readonly production: readonly ProductionRecord[];
  /** The source's event time after this step, microseconds since the epoch: nothing older comes, but for late data. Never decreases. */
  readonly advanceToUs: number;
  /** Last row of the file that went into this step, from 1, where there is a file. */
  readonly row?: number;
}
