import type { Asset } from '@millwright/plant';
import { rateOf, type Machine, type MachineModel, type Output, type Severity } from './machine.js';
import type { Random } from './random.js';

const FAST = ['vibration'] as const;
const SLOW = ['speed', 'load', 'temperature', 'current'] as const;

/**
 * A pump or fan with a rolling bearing behind a variable-speed drive. Vibration of a faulty bearing after McFadden and Smith (J. Sound Vib. 96, 1984)
 * and Randall and Antoni (MSSP 25, 2011): a train of impulses at the characteristic order of the shaft speed, with random slip, each
 * ringing a structural resonance; defects that turn with the shaft or cage are modulated by the load zone.
 */
export const rotatingMachine: MachineModel = {
  faults: ['outer_race', 'inner_race', 'ball', 'unbalance', 'misalignment'],
  signalGroups: [FAST, SLOW],
  create: (asset, random) => new RotatingMachine(asset, random),
};

/** Orders of an SKF 6205, where the plant file gives none. */
const SKF_6205 = { bpfo: 3.585, bpfi: 5.415, bsf: 2.357, ftf: 0.398 };
/** Standard deviation of the slip between impulses; 1 to 2 % are usual. */
const SLIP = 0.012;
/** Samples before a burst in which the resonance comes to its steady state. */
const WARM_UP = 256;
/** Vibration of the first, second and third shaft harmonic of a healthy machine and per unit of severity, g. */
const HARMONICS = { healthy: [0.05, 0.02, 0.008], unbalance: [0.55, 0.03, 0.01], misalignment: [0.14, 0.42, 0.12] } as const;
/** Peak acceleration of an impulse at severity 1 and full load, g. */
const IMPULSE = 5;

interface State {
  load: number;
  loadTarget: number;
  temperature: number;
  /** Angle of the shaft and of the cage, in turns. */
  shaft: number;
  cage: number;
}

class RotatingMachine implements Machine {
  state: State;
  readonly #fastRate: number;
  readonly #slowRate: number;
  readonly #burstSamples: number;
  readonly #hopUs: number;
  readonly #orders: Readonly<Record<'bpfo' | 'bpfi' | 'bsf' | 'ftf', number>>;
  /** What makes this machine an individual: drawn once. */
  readonly #nominalRpm: number;
  readonly #resonanceHz: number;
  readonly #damping: number;
  readonly #noise: number;
  readonly #ambient: number;
  readonly #harmonicPhase: readonly number[];
  /** Scratch: the force on the structure. */
  readonly #force: Float32Array;

  constructor(asset: Asset, private readonly random: Random) {
    const { lengthUs, hopUs } = asset.kind.window;
    this.#fastRate = rateOf(asset, FAST);
    this.#slowRate = rateOf(asset, SLOW);
    const burstSeconds = hopUs > lengthUs ? Math.min(1, lengthUs / 1e6) : 1;
    this.#burstSamples = Math.round(burstSeconds * this.#fastRate);
    this.#hopUs = Math.max(1e6, hopUs);
    this.#orders = { ...SKF_6205, ...asset.kind.signals.find(({ name }) => name === FAST[0])?.envelope?.orders };
    this.#force = new Float32Array(WARM_UP + this.#burstSamples);

    this.#nominalRpm = random.uniform(1700, 1800);
    this.#resonanceHz = Math.min(random.uniform(2800, 3300), 0.3 * this.#fastRate);
    this.#damping = random.uniform(0.035, 0.055);
    this.#noise = random.uniform(0.07, 0.1);
    this.#ambient = random.uniform(20, 26);
    this.#harmonicPhase = [random.uniform(), random.uniform(), random.uniform()];
    const load = random.uniform(0.5, 0.9);
    this.state = { load, loadTarget: load, temperature: this.#restingTemperature(load, 0), shaft: random.uniform(), cage: random.uniform() };
  }

  step(startUs: number, severity: Severity, output: Output): void {
    const { state, random } = this;
    if (startUs % this.#hopUs === 0) output.samples(0, startUs, [this.#burst(severity)]);

    const count = this.#slowRate;
    const dt = 1 / count;
    const friction = severity('outer_race') + severity('inner_race') + severity('ball') + 0.3 * severity('misalignment');
    const [speed, load, temperature, current] = [new Float64Array(count), new Float64Array(count), new Float64Array(count), new Float64Array(count)];
    for (let i = 0; i < count; i++) {
      const rpm = this.#rpm();
      speed[i] = rpm + 0.8 * random.normal();
      load[i] = 100 * state.load + 0.3 * random.normal();
      temperature[i] = state.temperature + 0.08 * random.normal();
      current[i] = 4 + 14 * state.load * (rpm / this.#nominalRpm) + 0.9 * severity('misalignment') + 0.08 * random.normal();

      state.shaft = (state.shaft + (rpm / 60) * dt) % 1;
      state.cage = (state.cage + this.#orders.ftf * (rpm / 60) * dt) % 1;
      if (random.uniform() < dt / 45) state.loadTarget = random.uniform(0.45, 0.95);
      state.load += ((state.loadTarget - state.load) / 6) * dt + 0.004 * Math.sqrt(dt) * random.normal();
      state.temperature += ((this.#restingTemperature(state.load, friction) - state.temperature) / 90) * dt;
    }
    output.samples(1, startUs, [speed, load, temperature, current]);
  }

  /** The drive follows the load. */
  #rpm(): number {
    return this.#nominalRpm * (0.86 + 0.15 * this.state.load);
  }

  #restingTemperature(load: number, friction: number): number {
    return this.#ambient + 24 * load + 18 * friction;
  }

  /** Acceleration of the bearing housing in g over one burst. */
  #burst(severity: Severity): Float32Array {
    const { random, state } = this;
    const force = this.#force.fill(0);
    const shaftHz = this.#rpm() / 60;
    this.#strike(severity('outer_race'), this.#orders.bpfo, shaftHz, () => 1);
    this.#strike(severity('inner_race'), this.#orders.bpfi, shaftHz, (seconds) => loadZone(state.shaft + shaftHz * seconds));
    // A defect on a ball meets both races in a turn of the ball, the outer one harder.
    this.#strike(severity('ball'), 2 * this.#orders.bsf, shaftHz, (seconds, i) => (i % 2 === 0 ? 1 : 0.65) * loadZone(state.cage + this.#orders.ftf * shaftHz * seconds));

    // Impulse response of the resonance, r^n sin(w n), as a recursion.
    const decay = Math.exp((-2 * Math.PI * this.#damping * this.#resonanceHz) / this.#fastRate);
    const angle = (2 * Math.PI * this.#resonanceHz * Math.sqrt(1 - this.#damping ** 2)) / this.#fastRate;
    const a1 = 2 * decay * Math.cos(angle);
    const a2 = -decay * decay;
    const gain = decay * Math.sin(angle);

    const noise = this.#noise * (0.6 + 0.4 * state.load);
    const burst = new Float32Array(this.#burstSamples);
    let ring1 = 0;
    let ring2 = 0;
    let last = 0;
    for (let i = 0; i < force.length; i++) {
      const white = random.normal();
      const ring = a1 * ring1 + a2 * ring2 + gain * last;
      last = force[i]! + 0.5 * noise * white;
      ring2 = ring1;
      ring1 = ring;
      if (i < WARM_UP) continue;
      burst[i - WARM_UP] = ring + noise * white;
    }

    // Shaft harmonics; unbalance grows with the square of the speed.
    const unbalance = severity('unbalance') * (this.#rpm() / this.#nominalRpm) ** 2;
    const misalignment = severity('misalignment') * (0.6 + 0.4 * state.load);
    for (let i = 0; i < HARMONICS.healthy.length; i++) {
      const amplitude = HARMONICS.healthy[i]! + unbalance * HARMONICS.unbalance[i]! + misalignment * HARMONICS.misalignment[i]!;
      const harmonic = i + 1;
      addTone(burst, amplitude, 2 * Math.PI * (this.#harmonicPhase[i]! + harmonic * state.shaft), (2 * Math.PI * harmonic * shaftHz) / this.#fastRate);
    }
    return burst;
  }

  /** Adds the impulses of a defect to the force; `weight` of each by its time in seconds from the start of the burst and its number. */
  #strike(severity: number, order: number, shaftHz: number, weight: (seconds: number, i: number) => number): void {
    if (severity === 0) return;
    const { random } = this;
    const period = this.#fastRate / (order * shaftHz);
    const peak = IMPULSE * severity * (0.5 + 0.5 * this.state.load);
    let at = random.uniform() * period;
    for (let i = 0; at < this.#force.length - 1; i++) {
      const strength = weight((at - WARM_UP) / this.#fastRate, i) * (1 + 0.1 * random.normal());
      this.#force[Math.round(at)]! += peak * strength;
      at += period * (1 + SLIP * random.normal());
    }
  }
}

/** Adds amplitude * sin(phase + n * turn) by the recursion of Chebyshev, a multiplication a sample. */
function addTone(samples: Float32Array, amplitude: number, phase: number, turn: number): void {
  const twoCos = 2 * Math.cos(turn);
  let now = amplitude * Math.sin(phase);
  let before = amplitude * Math.sin(phase - turn);
  for (let i = 0; i < samples.length; i++) {
    samples[i]! += now;
    const next = twoCos * now - before;
    before = now;
    now = next;
  }
}

/** Stribeck's load distribution over the angle (in turns) of a rolling element, 1 in the middle of the load zone; a little is left outside it. */
function loadZone(turns: number): number {
  const depth = 1 - (1 - Math.cos(2 * Math.PI * turns)) / (2 * 0.45);
  return 0.06 + 0.94 * (depth > 0 ? depth * Math.sqrt(depth) : 0);
}
