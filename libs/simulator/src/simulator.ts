import { Encoding, packFloat32, packFloat64, type ProductionRecord, type Source, type SourceStep, type TelemetryBlock } from '@millwright/contracts';
import { suggestion, type Asset, type Plant, type ScheduledFault, type SimulationSpec } from '@millwright/plant';
import { batchStation } from './batch-station.js';
import type { Machine, MachineModel, Output } from './machine.js';
import { processUnit } from './process-unit.js';
import { Random } from './random.js';
import { rotatingMachine } from './rotating-machine.js';

/** What simulation.machines of a plant file can name. */
const MODELS: Readonly<Record<string, MachineModel>> = { 'rotating-machine': rotatingMachine, 'process-unit': processUnit, 'batch-station': batchStation };

/** Event time of one step. */
const STEP_US = 1e6;

/** A plant file whose simulation section the simulator can't follow. */
export class SimulationError extends Error {
  override readonly name = 'SimulationError';
  readonly badInput = true;
}

/** A plant that lives by its seed: the same plant file gives the same blocks and records, byte for byte. */
export interface PlantSimulator extends Source {
  /** The next second of event time. */
  step(): SourceStep;
  /** All that is needed to go on from here. */
  snapshot(): Uint8Array;
  /**
   * Goes on where the snapshot was taken.
   * @throws SimulationError where it was taken of another plant, or is none.
   */
  restore(snapshot: Uint8Array): void;
}

/**
 * The simulated plant of a plant file.
 * @throws SimulationError where the file names a machine, signal or fault that is not simulated.
 */
export function createSimulator(plant: Plant, source = `simulation/${plant.name}`): PlantSimulator {
  if (plant.simulation === undefined) throw new SimulationError(`plant ${plant.name} has no simulation section; add one, or replay a file`);
  return new Simulator(source, plant.simulation, [...plant.assets.values()]);
}

/** What one machine is to do in a training run. */
export interface TrainingRun {
  /** Decides which individual of its kind the machine is, and all noise. */
  readonly seed: number;
  /** Present from the start to the end; a healthy machine where absent. */
  readonly fault?: string;
  /** Above 0, at most 1. */
  readonly severity?: number;
}

/**
 * One asset of a kind of the plant, for training data: its id is "training".
 * @throws SimulationError as createSimulator does, or where the plant has no such kind.
 */
export function createTrainingRun(plant: Plant, kindName: string, { seed, fault, severity = 1 }: TrainingRun): PlantSimulator {
  const kind = plant.kinds.get(kindName);
  if (kind === undefined || plant.simulation === undefined) {
    throw new SimulationError(`plant ${plant.name} has no simulated kind ${kindName}; ${suggestion(kindName, plant.kinds.keys())}`);
  }
  const asset: Asset = { id: 'training', kind, site: '', area: '', line: '', description: '' };
  const faults: ScheduledFault[] = fault === undefined ? [] : [{ asset: asset.id, fault, afterUs: 0, durationUs: Infinity, severity, growthUs: 0 }];
  return new Simulator('training', { seed, startUs: plant.simulation.startUs, machines: plant.simulation.machines, faults }, [asset]);
}

interface Unit {
  readonly asset: Asset;
  readonly model: MachineModel;
  readonly machine: Machine;
  readonly random: Random;
  readonly faults: readonly ScheduledFault[];
  blocks: number;
  records: number;
}

/** What a snapshot holds, as JSON. */
interface Snapshot {
  readonly timeUs: number;
  readonly units: readonly { readonly asset: string; readonly machine: unknown; readonly random: readonly (number | null)[]; readonly blocks: number; readonly records: number }[];
}

function snapshotIn(bytes: Uint8Array): Snapshot {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new SimulationError(`it is no snapshot of a simulated plant (${(error as Error).message})`);
  }
  if (typeof value !== 'object' || value === null || !('units' in value) || !Array.isArray(value.units)) throw new SimulationError('it is no snapshot of a simulated plant');
  return value as Snapshot;
}

class Simulator implements PlantSimulator {
  #timeUs: number;
  readonly #units: readonly Unit[];

  constructor(
    readonly name: string,
    private readonly spec: SimulationSpec,
    assets: readonly Asset[],
  ) {
    this.#timeUs = Math.ceil(spec.startUs / STEP_US) * STEP_US;
    this.#units = assets.filter(({ kind }) => spec.machines[kind.name] !== undefined).map((asset) => this.#unitOf(asset));
  }

  next(): Promise<SourceStep> {
    return Promise.resolve(this.step());
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  step(): SourceStep {
    const blocks: TelemetryBlock[] = [];
    const production: ProductionRecord[] = [];
    for (const unit of this.#units) {
      const { asset, model, machine } = unit;
      const output: Output = {
        samples: (group, startUs, values) => {
          const block = this.#block(unit, model.signalGroups[group]!, startUs, values);
          if (block) blocks.push(block);
        },
        record: (timeUs, body) => production.push({ source: this.name, sequence: ++unit.records, asset: asset.id, timeUs, body }),
      };
      machine.step(this.#timeUs, (fault) => this.#severity(unit, fault), output);
    }
    this.#timeUs += STEP_US;
    return { blocks, production, advanceToUs: this.#timeUs };
  }

  snapshot(): Uint8Array {
    const snapshot: Snapshot = {
      timeUs: this.#timeUs,
      units: this.#units.map(({ asset, machine, random, blocks, records }) => ({ asset: asset.id, machine: machine.state, random: random.state, blocks, records })),
    };
    return new TextEncoder().encode(JSON.stringify(snapshot));
  }

  restore(bytes: Uint8Array): void {
    const { timeUs, units } = snapshotIn(bytes);
    const ids = (list: readonly string[]): string => list.join(', ');
    const [now, then] = [ids(this.#units.map(({ asset }) => asset.id)), ids(units.map(({ asset }) => asset))];
    if (now !== then) throw new SimulationError(`it is of a plant with the assets ${then}, and this one has ${now}`);
    this.#timeUs = timeUs;
    this.#units.forEach((unit, i) => {
      const from = units[i]!;
      unit.machine.state = from.machine;
      unit.random.state = from.random;
      unit.blocks = from.blocks;
      unit.records = from.records;
    });
  }

  #unitOf(asset: Asset): Unit {
    const name = this.spec.machines[asset.kind.name]!;
    const model = MODELS[name];
    const at = `kind ${asset.kind.name}`;
    if (model === undefined) throw new SimulationError(`${at}: there is no simulated machine ${name}; ${suggestion(name, Object.keys(MODELS))}`);
    for (const signal of asset.kind.signals) {
      const group = model.signalGroups.find((names) => names.includes(signal.name));
      if (group === undefined) throw new SimulationError(`${at}: a simulated ${name} has no signal ${signal.name}; ${suggestion(signal.name, model.signalGroups.flat())}`);
      const other = asset.kind.signals.find((each) => group.includes(each.name) && each.rateHz !== signal.rateHz);
      if (other) throw new SimulationError(`${at}: a simulated ${name} samples ${signal.name} and ${other.name} together; give them one rate`);
      if (!Number.isInteger(signal.rateHz)) throw new SimulationError(`${at}: the simulated signal ${signal.name} has ${signal.rateHz} samples per second; give a whole number`);
    }
    const { hopUs } = asset.kind.window;
    if (hopUs > STEP_US && hopUs % STEP_US !== 0) throw new SimulationError(`${at}: window.hop of a simulated kind is to be whole seconds`);
    const faults = this.spec.faults.filter((fault) => fault.asset === asset.id);
    for (const { fault } of faults) {
      if (!model.faults.includes(fault)) throw new SimulationError(`asset ${asset.id}: a simulated ${name} has no fault ${fault}; ${suggestion(fault, model.faults)}`);
    }
    const random = new Random(this.spec.seed, asset.id);
    return { asset, model, machine: model.create(asset, random), random, faults, blocks: 0, records: 0 };
  }

  #severity(unit: Unit, fault: string): number {
    if (unit.faults.length === 0) return 0;
    const elapsed = this.#timeUs - this.spec.startUs;
    const now = this.spec.repeatEveryUs === undefined ? elapsed : elapsed % this.spec.repeatEveryUs;
    let most = 0;
    for (const scheduled of unit.faults) {
      const since = now - scheduled.afterUs;
      if (scheduled.fault !== fault || since < 0 || since >= scheduled.durationUs) continue;
      const grown = scheduled.growthUs === 0 ? 1 : Math.min(1, since / scheduled.growthUs);
      most = Math.max(most, scheduled.severity * grown);
    }
    return most;
  }

  /** A block of those signals of a group that the plant file has; undefined where it has none of them. */
  #block(unit: Unit, group: readonly string[], startUs: number, values: readonly (Float32Array | Float64Array)[]): TelemetryBlock | undefined {
    const signals = unit.asset.kind.signals.filter(({ name }) => group.includes(name));
    if (signals.length === 0) return undefined;
    return {
      source: this.name,
      sequence: ++unit.blocks,
      asset: unit.asset.id,
      startUs,
      intervalUs: 1e6 / signals[0]!.rateHz,
      count: values[0]!.length,
      offsetsUs: new Uint8Array(0),
      signals: signals.map(({ name, unit: measured }) => {
        const samples = values[group.indexOf(name)]!;
        return samples instanceof Float32Array
          ? { signal: name, unit: measured, encoding: Encoding.FLOAT32, values: packFloat32(samples) }
          : { signal: name, unit: measured, encoding: Encoding.FLOAT64, values: packFloat64(samples) };
      }),
    };
  }
}
