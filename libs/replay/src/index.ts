export type { Source, SourceStep } from '@millwright/contracts';
export { openReplay, type Replay, type ReplayOptions } from './replay.js';
export { choosePlant } from './choose.js';
export { pace, systemClock, type Clock } from './pace.js';
export { ReplayError, type RowRefusal } from './error.js';
