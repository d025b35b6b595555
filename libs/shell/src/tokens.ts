import type { Logger, Telemetry } from '@millwright/observability';
import type { Plant } from '@millwright/plant';
import type { EventLog, StateStore } from '@millwright/streams';
import type { ShellConfig } from './config.js';

/** Injection tokens of what the shell gives to every module, with the type of each. */
export const CONFIG = Symbol('ShellConfig');
export const EVENT_LOG = Symbol('EventLog');
export const STATE_STORE = Symbol('StateStore');
export const PLANT = Symbol('Plant');
export const LOGGER = Symbol('Logger');
export const TELEMETRY = Symbol('Telemetry');

/** Where a process keeps its records and state: Kafka and Redis, or the embedded log. Service modules can't tell. */
export interface Adapters {
  readonly log: EventLog;
  readonly store: StateStore;
}

/** What stands behind the tokens. */
export interface Surroundings extends Adapters {
  readonly config: ShellConfig;
  readonly plant: Plant;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
}
