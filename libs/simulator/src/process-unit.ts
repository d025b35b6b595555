import type { Asset } from '@millwright/plant';
import { rateOf, type Machine, type MachineModel, type Output, type Severity } from './machine.js';
import type { Random } from './random.js';

const SIGNALS = [
  'feed_flow', 'outlet_flow', 'level', 'temperature', 'outlet_temperature', 'jacket_temperature', 'steam_flow', 'level_valve', 'steam_valve',
] as const;

/**
 * A stirred tank with a steam jacket and two PI loops that work on each other: the outlet valve holds the level, the steam valve the
 * temperature (mass and energy balance as in Seborg, Edgar and Mellichamp, Process Dynamics and Control, chapter 2). Feed and feed
 * temperature wander; the feed changes its set-point now and then.
 */
export const processUnit: MachineModel = {
  faults: ['sensor_drift', 'valve_stiction', 'fouling', 'leak'],
  signalGroups: [SIGNALS],
  create: (asset, random) => new ProcessUnit(asset, random),
};

/** kJ/(L K) */
const HEAT_CAPACITY = 4.18;
/** kJ/kg, steam */
const LATENT_HEAT = 2257;
/** Surface of the tank in L per m of level. */
const AREA = 20;
/** Outflow in L/s at full opening and 1 m. */
const OUTLET = 2;
/** Heat from the wall to the tank, kW/K, and from steam at full opening to the wall, kW/K. */
const WALL = 4.18;
const STEAM = 8.4;
/** kJ/K */
const WALL_CAPACITY = 10;
const STEAM_TEMPERATURE = 140;
const LEVEL_SETPOINT = 1;
const TEMPERATURE_SETPOINT = 60;
/** Longest step of integration, s. */
const STEP = 0.05;

/** What a fault does at severity 1. */
const DRIFT = 9;
const STICTION = 0.18;
const FOULING = 0.45;
const LEAK = 0.4;

interface State {
  level: number;
  temperature: number;
  wall: number;
  outlet: number;
  feed: number;
  feedTarget: number;
  feedTemperature: number;
  levelIntegral: number;
  temperatureIntegral: number;
  valve: number;
}

class ProcessUnit implements Machine {
  state: State;
  readonly #rate: number;
  readonly #individual: { readonly wall: number; readonly outlet: number; readonly steam: number; readonly feed: number };

  constructor(asset: Asset, private readonly random: Random) {
    this.#rate = rateOf(asset, SIGNALS);
    const near = (value: number): number => value * random.uniform(0.95, 1.05);
    this.#individual = { wall: near(WALL), outlet: near(OUTLET), steam: near(STEAM), feed: near(1) };
    // At rest: what flows in flows out, and the heat that the feed takes comes through the wall.
    const { wall, outlet, steam, feed } = this.#individual;
    const heat = feed * HEAT_CAPACITY * (TEMPERATURE_SETPOINT - 20);
    const wallTemperature = TEMPERATURE_SETPOINT + heat / wall;
    this.state = {
      level: LEVEL_SETPOINT, temperature: TEMPERATURE_SETPOINT, wall: wallTemperature, outlet: TEMPERATURE_SETPOINT,
      feed, feedTarget: feed, feedTemperature: 20,
      levelIntegral: feed / outlet, temperatureIntegral: heat / (steam * (STEAM_TEMPERATURE - wallTemperature)), valve: feed / outlet,
    };
  }

  step(startUs: number, severity: Severity, output: Output): void {
    const count = this.#rate;
    const perSample = Math.ceil(1 / (count * STEP));
    const values = SIGNALS.map(() => new Float64Array(count));
    for (let i = 0; i < count; i++) {
      this.#measure(severity, values, i);
      for (let k = 0; k < perSample; k++) this.#advance(1 / (count * perSample), severity);
    }
    output.samples(0, startUs, values);
  }

  /** Opening of the two valves by the controllers, 0 to 1. */
  #commands(severity: Severity): { level: number; steam: number } {
    const { state } = this;
    return {
      level: clamp(state.levelIntegral + 1.6 * (state.level - LEVEL_SETPOINT)),
      steam: clamp(state.temperatureIntegral + 0.02 * (TEMPERATURE_SETPOINT - this.#sensed(severity))),
    };
  }

  /** What the sensor of the temperature loop shows. */
  #sensed(severity: Severity): number {
    return this.state.temperature + DRIFT * severity('sensor_drift');
  }

  #outflow(): number {
    return this.#individual.outlet * this.state.valve * Math.sqrt(Math.max(0, this.state.level));
  }

  #steamHeat(opening: number): number {
    return this.#individual.steam * opening * Math.max(0, STEAM_TEMPERATURE - this.state.wall);
  }

  #measure(severity: Severity, values: readonly Float64Array[], i: number): void {
    const { state, random } = this;
    const command = this.#commands(severity);
    const now = [
      state.feed + 0.008 * random.normal(),
      this.#outflow() + 0.008 * random.normal(),
      state.level + 0.003 * random.normal(),
      this.#sensed(severity) + 0.1 * random.normal(),
      state.outlet + 0.1 * random.normal(),
      state.wall + 0.15 * random.normal(),
      (this.#steamHeat(command.steam) / LATENT_HEAT) * 3600 + 1.5 * random.normal(),
      100 * command.level,
      100 * command.steam,
    ];
    for (let s = 0; s < now.length; s++) values[s]![i] = now[s]!;
  }

  #advance(dt: number, severity: Severity): void {
    const { state, random } = this;
    const command = this.#commands(severity);
    state.levelIntegral = clamp(state.levelIntegral + (0.06 * (state.level - LEVEL_SETPOINT)) * dt);
    state.temperatureIntegral = clamp(state.temperatureIntegral + (0.0012 * (TEMPERATURE_SETPOINT - this.#sensed(severity))) * dt);

    // A sticking valve stays until the command is far enough away, then slips past friction in one jump.
    const stiction = STICTION * severity('valve_stiction');
    const gap = command.level - state.valve;
    if (stiction === 0) state.valve += (gap / 0.8) * dt;
    else if (Math.abs(gap) > stiction) state.valve = command.level + Math.sign(gap) * 0.3 * stiction;
    state.valve = clamp(state.valve);

    const outflow = this.#outflow();
    const leak = LEAK * severity('leak') * Math.sqrt(Math.max(0, state.level));
    const wall = this.#individual.wall * (1 - FOULING * severity('fouling'));
    const volume = AREA * Math.max(0.05, state.level);
    const throughWall = wall * (state.wall - state.temperature);
    state.wall += ((this.#steamHeat(command.steam) - throughWall) / WALL_CAPACITY) * dt;
    state.temperature += ((state.feed * HEAT_CAPACITY * (state.feedTemperature - state.temperature) + throughWall) / (HEAT_CAPACITY * volume)) * dt;
    state.outlet += ((state.temperature - state.outlet) / 3) * dt;
    state.level = Math.min(1.9, Math.max(0.02, state.level + ((state.feed - outflow - leak) / AREA) * dt));

    if (random.uniform() < dt / 150) state.feedTarget = this.#individual.feed * random.uniform(0.88, 1.12);
    state.feed += ((state.feedTarget - state.feed) / 8) * dt + 0.008 * Math.sqrt(dt) * random.normal();
    state.feedTemperature += ((20 - state.feedTemperature) / 60) * dt + 0.12 * Math.sqrt(dt) * random.normal();
  }
}

function clamp(opening: number): number {
  return Math.min(1, Math.max(0, opening));
}
