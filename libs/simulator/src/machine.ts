import type { ProductionRecord } from '@millwright/contracts';
import type { Asset } from '@millwright/plant';
import type { Random } from './random.js';

/** A sort of machine that can be simulated: what simulation.machines of a plant file names. */
export interface MachineModel {
  readonly faults: readonly string[];
  /** Signals that it gives. Those of one group are sampled together, so they have one rate. */
  readonly signalGroups: readonly (readonly string[])[];
  create(asset: Asset, random: Random): Machine;
}

/** One simulated machine. Everything that changes is in `state`, as JSON values. */
export interface Machine {
  state: unknown;
  /** Lives through the second of event time that begins at `startUs`. */
  step(startUs: number, severity: Severity, output: Output): void;
}

/** Severity of a fault now: 0 where it is absent, at most 1. */
export type Severity = (fault: string) => number;

export interface Output {
  /** Samples of a group of signals, one array per signal of the group, evenly spaced by the rate of the plant file. */
  samples(group: number, startUs: number, values: readonly (Float32Array | Float64Array)[]): void;
  record(timeUs: number, body: NonNullable<ProductionRecord['body']>): void;
}

/** Samples per second of the signals of a group, by the plant file. */
export function rateOf(asset: Asset, group: readonly string[]): number {
  return asset.kind.signals.find(({ name }) => group.includes(name))?.rateHz ?? 1;
}
