import { beforeAll, describe, expect, it } from '@jest/globals';
import { Inspection_Result, ProductionRecord, ProductionUnit_State, TelemetryBlock, unpackFloat32, unpackFloat64, type SourceStep } from '@millwright/contracts';
import { loadPlant, parsePlant, type Plant } from '@millwright/plant';
import { createSimulator, createTrainingRun, SimulationError, type PlantSimulator } from './index.js';

const PLANT_FILE = new URL('../../../plants/demo/plant.yaml', import.meta.url).pathname;
const plant = loadPlant(PLANT_FILE);

function bytesOf(steps: readonly SourceStep[]): string {
  return steps
    .map(({ blocks, production, advanceToUs }) =>
      [...blocks.map((block) => TelemetryBlock.encode(block).finish()), ...production.map((record) => ProductionRecord.encode(record).finish())]
        .map((bytes) => Buffer.from(bytes).toString('base64'))
        .concat(String(advanceToUs))
        .join(),
    )
    .join('\n');
}

function take(simulator: PlantSimulator, seconds: number): SourceStep[] {
  return Array.from({ length: seconds }, () => simulator.step());
}

/** Mean of each signal over the last half of a run, of the simulation itself and not of features. */
function means(steps: readonly SourceStep[]): Record<string, number> {
  const all: Record<string, number[]> = {};
  for (const { blocks } of steps.slice(steps.length / 2)) {
    for (const { signals } of blocks) {
      for (const { signal, values } of signals) if (signal !== 'vibration') (all[signal] ??= []).push(...unpackFloat64(values));
    }
  }
  return Object.fromEntries(Object.entries(all).map(([signal, values]) => [signal, values.reduce((sum, value) => sum + value, 0) / values.length]));
}

describe('the demo plant', () => {
  it('has at least twelve assets of three kinds, all simulated', () => {
    expect(plant.assets.size).toBeGreaterThanOrEqual(12);
    const { blocks } = createSimulator(plant).step();
    expect(new Set(blocks.map(({ asset }) => asset))).toEqual(new Set(plant.assets.keys()));
    expect(new Set([...plant.assets.values()].map(({ kind }) => kind.name)).size).toBe(3);
  });

  it.each([
    ['pump', 10, ['outer_race', 'inner_race', 'ball', 'unbalance', 'misalignment']],
    ['tank', 200, ['sensor_drift', 'valve_stiction', 'fouling', 'leak']],
    ['press', 30, ['tool_wear', 'loose_fixture']],
  ])('keeps every signal of a %s inside its range, with its unit and rate, in %d s of each full fault', (kind, seconds, faults) => {
    const specs = new Map(plant.kinds.get(kind)!.signals.map((signal) => [signal.name, signal]));
    const strays: string[] = [];
    for (const fault of faults) {
      for (const { blocks } of take(createTrainingRun(plant, kind, { seed: 2, fault }), seconds)) {
        for (const { signals, count, intervalUs } of blocks) {
          for (const { signal, unit, values } of signals) {
            const spec = specs.get(signal)!;
            const samples = Array.from(signal === 'vibration' ? unpackFloat32(values) : unpackFloat64(values));
            const inside = samples.every((value) => value >= spec.min && value <= spec.max);
            if (!inside || unit !== spec.unit || intervalUs !== 1e6 / spec.rateHz || samples.length !== count) strays.push(`${signal} in ${fault}`);
          }
        }
      }
    }
    expect(strays).toEqual([]);
  });

  it('counts blocks and records of each asset from 1 without gaps, and its time never goes back', () => {
    const next = new Map<string, number>();
    let before = 0;
    for (const { blocks, production, advanceToUs } of take(createSimulator(plant), 60)) {
      expect(advanceToUs).toBeGreaterThan(before);
      before = advanceToUs;
      for (const [topic, items] of [['blocks', blocks], ['records', production]] as const) {
        for (const { asset, sequence } of items) {
          if (sequence !== (next.get(topic + asset) ?? 0) + 1) throw new Error(`${topic} of ${asset}: ${sequence} after ${next.get(topic + asset)}`);
          next.set(topic + asset, sequence);
        }
      }
    }
  });

  it('is the same byte for byte from the same file, and another with another seed', () => {
    const first = bytesOf(take(createSimulator(plant), 45));
    expect(bytesOf(take(createSimulator(plant), 45))).toBe(first);
    const other: Plant = { ...plant, simulation: { ...plant.simulation!, seed: 2 } };
    expect(bytesOf(take(createSimulator(other), 45))).not.toBe(first);
  });

  it('goes on from a snapshot as if it had never stopped', () => {
    const whole = createSimulator(plant);
    take(whole, 37);
    const snapshot = whole.snapshot();
    const expected = bytesOf(take(whole, 30));
    const resumed = createSimulator(plant);
    resumed.restore(snapshot);
    expect(bytesOf(take(resumed, 30))).toBe(expected);
    // The snapshot is not touched by going on.
    resumed.restore(snapshot);
    expect(bytesOf(take(resumed, 30))).toBe(expected);
  });

  it('repeats its fault schedule: the first fault is there again when it starts over', () => {
    const simulation = { ...plant.simulation!, faults: plant.simulation!.faults.slice(0, 1), repeatEveryUs: 300e6 };
    const short: Plant = { ...plant, simulation, assets: new Map([['P-102', plant.assets.get('P-102')!]]) };
    const rms = take(createSimulator(short), 660).map(({ blocks }) => {
      const samples = unpackFloat32(blocks[0]!.signals[0]!.values);
      let squares = 0;
      for (let i = 0; i < samples.length; i++) squares += samples[i]! ** 2;
      return Math.sqrt(squares / samples.length);
    });
    const mean = (from: number, to: number): number => rms.slice(from, to).reduce((sum, x) => sum + x, 0) / (to - from);
    const healthy = mean(0, 20);
    expect(mean(40, 250)).toBeGreaterThan(2 * healthy);
    expect(mean(265, 320)).toBeLessThan(1.3 * healthy);
    expect(mean(340, 550)).toBeGreaterThan(2 * healthy);
  });
});

describe('bearing physics: the envelope spectrum has lines at order times shaft speed', () => {
  const LINES = { outer_race: 3.585, inner_race: 5.415, ball: 2 * 2.357, shaft: 1 };

  /** Power of the squared envelope around 3 kHz at each of the lines, mean over bursts. */
  function envelopeLines(fault?: string): Record<keyof typeof LINES, number> {
    const run = createTrainingRun(plant, 'pump', { seed: 11, severity: 0.6, ...(fault !== undefined && { fault }) });
    const lines = { outer_race: 0, inner_race: 0, ball: 0, shaft: 0 };
    for (const { blocks } of take(run, 20)) {
      const envelope = demodulate(unpackFloat32(blocks[0]!.signals[0]!.values), 3000, 10240);
      const shaftHz = unpackFloat64(blocks[1]!.signals.find(({ signal }) => signal === 'speed')!.values)[0]! / 60;
      for (const name of ['outer_race', 'inner_race', 'ball', 'shaft'] as const) lines[name] += power(envelope, LINES[name] * shaftHz, 10240) / 20;
    }
    return lines;
  }
  let healthy: Record<keyof typeof LINES, number>;
  beforeAll(() => {
    healthy = envelopeLines();
  });

  it.each(['outer_race', 'inner_race', 'ball'] as const)('%s: its own line stands out', (fault) => {
    const lines = envelopeLines(fault);
    expect(lines[fault]).toBeGreaterThan(20 * healthy[fault]);
    for (const other of ['outer_race', 'inner_race', 'ball'] as const) if (other !== fault) expect(lines[fault]).toBeGreaterThan(3 * lines[other]);
  });

  it('an inner race turns through the load zone, so that shaft speed modulates it; an outer race stands still', () => {
    const [inner, outer] = [envelopeLines('inner_race'), envelopeLines('outer_race')];
    expect(inner.shaft).toBeGreaterThan(0.5 * inner.inner_race);
    expect(outer.shaft).toBeLessThan(0.05 * outer.outer_race);
  });

  it('unbalance shows in the first shaft harmonic, misalignment in the second', () => {
    const harmonic = (fault: string | undefined, h: number): number =>
      take(createTrainingRun(plant, 'pump', { seed: 3, severity: 0.6, ...(fault !== undefined && { fault }) }), 20).reduce((sum, { blocks }) => {
        const shaftHz = unpackFloat64(blocks[1]!.signals.find(({ signal }) => signal === 'speed')!.values)[0]! / 60;
        return sum + Math.sqrt(power(Float64Array.from(unpackFloat32(blocks[0]!.signals[0]!.values)), h * shaftHz, 10240)) / 20;
      }, 0);
    expect(harmonic('unbalance', 1)).toBeGreaterThan(4 * harmonic(undefined, 1));
    expect(harmonic('misalignment', 2)).toBeGreaterThan(4 * harmonic(undefined, 2));
    expect(harmonic('unbalance', 2)).toBeLessThan(harmonic('misalignment', 2) / 3);
  });

  function demodulate(samples: Float32Array, carrierHz: number, rateHz: number): Float64Array {
    const width = 20;
    const envelope = new Float64Array(samples.length - width);
    const re = Float64Array.from(samples, (x, n) => x * Math.cos((2 * Math.PI * carrierHz * n) / rateHz));
    const im = Float64Array.from(samples, (x, n) => x * Math.sin((2 * Math.PI * carrierHz * n) / rateHz));
    for (let n = 0; n < envelope.length; n++) {
      let [a, b] = [0, 0];
      for (let k = 0; k < width; k++) {
        a += re[n + k]!;
        b += im[n + k]!;
      }
      envelope[n] = a * a + b * b;
    }
    return envelope;
  }

  /** Power at one frequency under a Hann window. */
  function power(x: Float64Array, hz: number, rateHz: number): number {
    const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
    let [a, b] = [0, 0];
    for (let n = 0; n < x.length; n++) {
      const value = (x[n]! - mean) * (1 - Math.cos((2 * Math.PI * n) / x.length));
      a += value * Math.cos((2 * Math.PI * hz * n) / rateHz);
      b += value * Math.sin((2 * Math.PI * hz * n) / rateHz);
    }
    return (4 * (a * a + b * b)) / x.length ** 2;
  }
});

describe('tank physics', () => {
  const run = (fault?: string): Record<string, number> => means(take(createTrainingRun(plant, 'tank', { seed: 4, severity: 0.8, ...(fault !== undefined && { fault }) }), 400));
  let healthy: Record<string, number>;
  beforeAll(() => {
    healthy = run();
  });

  it('a healthy tank holds its set-points and its balances', () => {
    expect(healthy['level']).toBeCloseTo(1, 1);
    expect(Math.abs(healthy['temperature']! - 60)).toBeLessThan(1);
    expect(Math.abs(healthy['feed_flow']! - healthy['outlet_flow']!)).toBeLessThan(0.02);
    // Steam condensed gives the heat that the feed takes up.
    const steamHeat = (healthy['steam_flow']! / 3600) * 2257;
    const feedHeat = healthy['feed_flow']! * 4.18 * (healthy['outlet_temperature']! - 20);
    expect(Math.abs(steamHeat / feedHeat - 1)).toBeLessThan(0.05);
  });

  it('a leak is missing from the outlet, while the loop holds the level', () => {
    const leaking = run('leak');
    expect(leaking['feed_flow']! - leaking['outlet_flow']!).toBeGreaterThan(0.2);
    expect(leaking['level']).toBeCloseTo(1, 1);
  });

  it('fouling takes a hotter jacket and more steam valve for the same heat', () => {
    const fouled = run('fouling');
    expect(fouled['jacket_temperature']! - healthy['jacket_temperature']!).toBeGreaterThan(8);
    expect(fouled['steam_valve']).toBeGreaterThan(1.2 * healthy['steam_valve']!);
  });

  it('a drifting sensor leads its loop astray, which the outlet shows', () => {
    const drifting = run('sensor_drift');
    expect(Math.abs(drifting['temperature']! - 60)).toBeLessThan(1);
    expect(drifting['outlet_temperature']).toBeLessThan(healthy['outlet_temperature']! - 5);
  });

  it('a sticking valve makes the level loop cycle', () => {
    const swing = (fault?: string): number => {
      const levels = take(createTrainingRun(plant, 'tank', { seed: 4, severity: 0.8, ...(fault !== undefined && { fault }) }), 400).flatMap(({ blocks }) => [
        ...unpackFloat64(blocks[0]!.signals.find(({ signal }) => signal === 'level_valve')!.values),
      ]);
      const mean = levels.reduce((sum, x) => sum + x, 0) / levels.length;
      return Math.sqrt(levels.reduce((sum, x) => sum + (x - mean) ** 2, 0) / levels.length);
    };
    expect(swing('valve_stiction')).toBeGreaterThan(1.8 * swing());
  });
});

describe('a press station', () => {
  function inspected(characteristic: string, fault?: string): number[] {
    const steps = take(createTrainingRun(plant, 'press', { seed: 9, ...(fault !== undefined && { fault }) }), 3000);
    return steps.flatMap(({ production }) =>
      production.flatMap(({ body }) => (body?.$case === 'inspection' && body.value.characteristic === characteristic ? [body.value.value] : [])),
    );
  }
  const mean = (x: number[]): number => x.reduce((sum, value) => sum + value, 0) / x.length;
  const deviation = (x: number[]): number => Math.sqrt(x.reduce((sum, value) => sum + (value - mean(x)) ** 2, 0) / (x.length - 1));

  it('makes a unit per window: started, then its process record, three inspections and its end', () => {
    const { simulation } = plant;
    const run = createTrainingRun({ ...plant, simulation: { ...simulation!, startUs: Date.UTC(2026, 0, 5) * 1000 } }, 'press', { seed: 1 });
    const first = take(run, 10).flatMap(({ production }) => production);
    expect(first.map(({ body }) => body!.$case)).toEqual(['unit', 'process', 'inspection', 'inspection', 'inspection', 'unit']);
    expect(first.every(({ body }) => body!.value.unitId === 'training-1')).toBe(true);
    expect(first.at(-1)!.body).toMatchObject({ value: { state: ProductionUnit_State.COMPLETED } });
    expect(first.slice(2, 5).every(({ body }) => body!.$case === 'inspection' && body!.value.result === Inspection_Result.PASS)).toBe(true);
    expect(first.at(-1)!.timeUs).toBeGreaterThan(first[0]!.timeUs);
  });

  it('tool wear shifts the diameter; a loose fixture widens it', () => {
    const [healthy, worn, loose] = [inspected('diameter'), inspected('diameter', 'tool_wear'), inspected('diameter', 'loose_fixture')];
    expect(healthy).toHaveLength(300);
    expect(mean(healthy)).toBeCloseTo(25, 2);
    expect(mean(worn) - 25).toBeGreaterThan(0.02);
    expect(deviation(worn) / deviation(healthy)).toBeLessThan(1.3);
    expect(deviation(loose) / deviation(healthy)).toBeGreaterThan(2.5);
  });

  it('a unit outside its specification is failed and scrapped', () => {
    const production = take(createTrainingRun(plant, 'press', { seed: 9, fault: 'loose_fixture' }), 3000).flatMap((step) => step.production);
    const failed = new Set(production.flatMap(({ body }) => (body?.$case === 'inspection' && body.value.result === Inspection_Result.FAIL ? [body.value.unitId] : [])));
    const scrapped = new Set(production.flatMap(({ body }) => (body?.$case === 'unit' && body.value.state === ProductionUnit_State.SCRAPPED ? [body.value.unitId] : [])));
    expect(failed.size).toBeGreaterThan(5);
    expect(scrapped).toEqual(failed);
  });
});

describe('a plant that the simulator can not follow is refused in one sentence', () => {
  const text = `
name: tiny
enterprise: Acme
sites: { A: { areas: { B: { lines: { C: { units: { T-1: { kind: tank } } } } } } } }
kinds:
  tank:
    window: { length: 4s, hop: 4s }
    signals: { level: { unit: m, rate: 2, range: [0, 2] }, feed_flow: { unit: L/s, rate: 2, range: [0, 2] } }
simulation:
  start: 2026-01-05T06:00:00Z
  machines: { tank: process-unit }
  faults: [{ asset: T-1, fault: leak, after: 1s, lasts: 1min }]
`;
  it.each([
    ['process-unit }', 'proces-unit }', 'kind tank: there is no simulated machine proces-unit; did you mean process-unit?'],
    ['{ level:', '{ levle:', 'kind tank: a simulated process-unit has no signal levle; did you mean level?'],
    ['fault: leak', 'fault: leek', 'asset T-1: a simulated process-unit has no fault leek; did you mean leak?'],
    ['{ unit: m, rate: 2', '{ unit: m, rate: 4', 'kind tank: a simulated process-unit samples level and feed_flow together; give them one rate'],
    ['hop: 4s', 'hop: 1500ms', 'kind tank: window.hop of a simulated kind is to be whole seconds'],
  ])('%s as %s', (from, to, message) => {
    expect(() => createSimulator(parsePlant(text.replace(from, to), 'tiny/plant.yaml'))).toThrow(new SimulationError(message));
  });

  it('gives only the signals that the file names', () => {
    const { blocks } = createSimulator(parsePlant(text, 'tiny/plant.yaml')).step();
    expect(blocks[0]!.signals.map(({ signal }) => signal)).toEqual(['level', 'feed_flow']);
  });

  it('a snapshot of another plant', () => {
    const tiny = createSimulator(parsePlant(text, 'tiny/plant.yaml'));
    expect(() => { tiny.restore(createTrainingRun(plant, 'tank', { seed: 1 }).snapshot()); }).toThrow('it is of a plant with the assets training, and this one has T-1');
    expect(() => { tiny.restore(new TextEncoder().encode('{"timeUs": 17')); }).toThrow(/^it is no snapshot of a simulated plant/);
    expect(() => { tiny.restore(new TextEncoder().encode('[]')); }).toThrow('it is no snapshot of a simulated plant');
  });
});
