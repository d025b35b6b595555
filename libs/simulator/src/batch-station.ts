import { Inspection_Result, ProductionUnit_State } from '@millwright/contracts';
import type { Asset } from '@millwright/plant';
import { rateOf, type Machine, type MachineModel, type Output, type Severity } from './machine.js';
import type { Random } from './random.js';

const SIGNALS = ['force', 'position', 'torque', 'temperature'] as const;

/**
 * A station of a paced line that presses a bush and screws a cover: one unit per window of its kind. Each unit is weighed and
 * measured, and its records come when its cycle ends.
 */
export const batchStation: MachineModel = {
  faults: ['tool_wear', 'loose_fixture'],
  signalGroups: [SIGNALS],
  create: (asset, random) => new BatchStation(asset, random),
};

/** Inspected characteristics of a good process. At three to four standard deviations from its specification each is capable. */
const CHARACTERISTICS = [
  { name: 'diameter', unit: 'mm', mean: 25, deviation: 0.01 },
  { name: 'torque', unit: 'Nm', mean: 12, deviation: 0.2 },
  { name: 'weight', unit: 'g', mean: 84, deviation: 0.4 },
] as const;

const UNITS_PER_LOT = 50;

interface State {
  unit: number;
  /** Peak force in kN and end torque in Nm of the unit in work; 0 before the first cycle begins. */
  peakForce: number;
  endTorque: number;
  temperature: number;
}

class BatchStation implements Machine {
  state: State = { unit: 0, peakForce: 0, endTorque: 0, temperature: 31 };
  readonly #rate: number;
  readonly #taktUs: number;
  readonly #specs: ReadonlyMap<string, { readonly lower: number; readonly upper: number }>;

  constructor(private readonly asset: Asset, private readonly random: Random) {
    this.#rate = rateOf(asset, SIGNALS);
    this.#taktUs = asset.kind.window.hopUs;
    this.#specs = new Map(
      asset.kind.charts.flatMap(({ source, lowerSpec, upperSpec }) =>
        'characteristic' in source ? [[source.characteristic, { lower: lowerSpec ?? -Infinity, upper: upperSpec ?? Infinity }] as const] : [],
      ),
    );
  }

  step(startUs: number, severity: Severity, output: Output): void {
    const { state, random } = this;
    const elapsedUs = startUs % this.#taktUs;
    if (elapsedUs === 0) this.#begin(startUs, severity, output);

    const values = SIGNALS.map(() => new Float64Array(this.#rate));
    const shake = 0.01 * (1 + 5 * severity('loose_fixture'));
    for (let i = 0; i < this.#rate; i++) {
      const phase = (elapsedUs + (i * 1e6) / this.#rate) / this.#taktUs;
      const pressing = ramp(phase, 0.1, 0.35) - ramp(phase, 0.6, 0.7);
      const screwing = ramp(phase, 0.4, 0.6) - ramp(phase, 0.62, 0.64);
      values[0]![i] = state.peakForce * pressing + 0.03 * random.normal();
      values[1]![i] = 40 * ramp(phase, 0.02, 0.35) - 40 * ramp(phase, 0.7, 0.9) + shake * random.normal();
      values[2]![i] = state.endTorque * screwing ** 2 + 0.02 * random.normal();
      values[3]![i] = state.temperature + 0.05 * random.normal();
      state.temperature += ((31 + 3 * severity('tool_wear') - state.temperature) / (120 * this.#rate)) + (0.03 / Math.sqrt(this.#rate)) * random.normal();
    }
    output.samples(0, startUs, values);
    if (elapsedUs + 1e6 >= this.#taktUs && state.unit > 0) this.#complete(startUs + 0.9e6, severity, output);
  }

  #begin(timeUs: number, severity: Severity, output: Output): void {
    const { state, random } = this;
    state.unit++;
    state.peakForce = 18 * (1 + 0.1 * severity('tool_wear')) + 0.15 * random.normal();
    state.endTorque = 12 + 0.2 * random.normal();
    output.record(timeUs, { $case: 'unit', value: this.#unit(ProductionUnit_State.STARTED) });
  }

  #complete(timeUs: number, severity: Severity, output: Output): void {
    const { state, random } = this;
    const unitId = this.#unit(ProductionUnit_State.STARTED).unitId;
    output.record(timeUs, {
      $case: 'process',
      value: { unitId, parameters: { peak_force: state.peakForce, end_torque: state.endTorque, temperature: state.temperature, takt: this.#taktUs / 1e6 } },
    });
    const spread = 1 + 2.5 * severity('loose_fixture');
    let good = true;
    for (const { name, unit, mean, deviation } of CHARACTERISTICS) {
      const value =
        name === 'torque' ? state.endTorque
        : name === 'diameter' ? mean + 3 * deviation * severity('tool_wear') + spread * deviation * random.normal()
        : mean + spread * deviation * random.normal();
      const spec = this.#specs.get(name);
      const pass = spec === undefined || (value >= spec.lower && value <= spec.upper);
      good &&= pass;
      output.record(timeUs, { $case: 'inspection', value: { unitId, characteristic: name, value, unit, result: pass ? Inspection_Result.PASS : Inspection_Result.FAIL } });
    }
    output.record(timeUs, { $case: 'unit', value: this.#unit(good ? ProductionUnit_State.COMPLETED : ProductionUnit_State.SCRAPPED) });
  }

  #unit(state: ProductionUnit_State): { unitId: string; product: string; workOrder: string; lot: string; state: ProductionUnit_State } {
    const lot = Math.ceil(this.state.unit / UNITS_PER_LOT);
    return { unitId: `${this.asset.id}-${this.state.unit}`, product: 'cover-assembly', workOrder: `WO-${1000 + Math.ceil(lot / 10)}`, lot: `L-${lot}`, state };
  }
}

/** 0 before `from`, 1 after `to`, straight between. */
function ramp(x: number, from: number, to: number): number {
  return Math.min(1, Math.max(0, (x - from) / (to - from)));
}
