import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { loadPlant, parsePlant, PlantFileError } from './index.js';

const GOOD = `
name: small
enterprise: Acme
sites:
  Hamburg:
    areas:
      Machining:
        lines:
          Line 1:
            units:
              P-101: { kind: pump, description: Coolant pump }
              P-102: { kind: pump }
kinds:
  pump:
    window: { length: 200ms, hop: 1s }
    models: [pump-diagnosis]
    monitor: { baseline: pump-normal }
    signals:
      vibration:
        unit: g
        rate: 10240
        range: [-50, 50]
        nan: reject
        spectrum: { bands: [10, 200, 1000, 5000], peaks: 2 }
        envelope: { band: [2000, 4000], speed: speed, orders: { bpfo: 3.585 } }
      speed: { unit: rpm, rate: 5, range: [0, 4000] }
      temperature: { unit: degC, every: 200ms, range: [-20, 150] }
    charts:
      temperature: { type: i-mr, feature: temperature.mean }
      diameter: { type: xbar-r, characteristic: diameter, subgroup: 5, spec: { lower: 9.9, upper: 10.1, minimumCpk: 1.33 } }
    alarms:
      diagnosis: { priority: urgent, onDelay: 3s }
      faultPriority: { unbalance: low }
replay:
  asset: P-101
  start: 2026-01-05T06:00:00Z
  interval: 1s
simulation:
  start: 2026-01-05T06:00:00Z
  machines: { pump: rotating-machine }
  repeatEvery: 1h
  faults:
    - { asset: P-102, fault: outer_race, after: 20s, lasts: 3min, severity: 0.8, growth: 10s }
`;

/** The messages for the good file with one thing changed. */
function problemsWith(from: string, to: string): string[] {
  const text = GOOD.replace(from, to);
  expect(text).not.toBe(GOOD);
  return problemsOf(text);
}

function problemsOf(text: string): string[] {
  try {
    parsePlant(text, 'plants/small/plant.yaml');
    return [];
  } catch (error) {
    if (!(error instanceof PlantFileError)) throw error;
    return error.message.split('\n');
  }
}

describe('a good plant file', () => {
  const plant = parsePlant(GOOD, '/plants/small/plant.yaml');

  it('gives the equipment hierarchy with each asset linked to its kind', () => {
    expect(plant).toMatchObject({ name: 'small', enterprise: 'Acme', directory: '/plants/small' });
    expect([...plant.assets.keys()]).toEqual(['P-101', 'P-102']);
    expect(plant.assets.get('P-101')).toMatchObject({ site: 'Hamburg', area: 'Machining', line: 'Line 1', description: 'Coolant pump' });
    expect(plant.assets.get('P-102')!.kind).toBe(plant.kinds.get('pump'));
  });

  it('gives durations in microseconds and rates in hertz', () => {
    const pump = plant.kinds.get('pump')!;
    expect(pump.window).toEqual({ lengthUs: 200_000, hopUs: 1_000_000, graceUs: 2_000_000 });
    expect(pump.signals.map(({ name, rateHz }) => [name, rateHz])).toEqual([['vibration', 10240], ['speed', 5], ['temperature', 5]]);
    expect(pump.signals[0]!.envelope).toEqual({ bandHz: [2000, 4000], speedSignal: 'speed', orders: { bpfo: 3.585 }, harmonics: 3 });
    expect(plant.simulation!.faults[0]).toEqual({
      asset: 'P-102', fault: 'outer_race', afterUs: 20e6, durationUs: 180e6, severity: 0.8, growthUs: 10e6,
    });
  });

  it('fills in what is left out: alarm delays count in hops, replay columns are the signals', () => {
    const pump = plant.kinds.get('pump')!;
    expect(pump.alarms.diagnosis).toEqual({ priority: 'urgent', onAt: 0.8, offBelow: 0.5, onDelayUs: 3e6, offDelayUs: 3e6 });
    expect(pump.alarms.silentSignal).toEqual({ priority: 'low', onAt: 1, offBelow: 1, onDelayUs: 3e6, offDelayUs: 1e6 });
    expect(pump.charts[0]).toEqual({ name: 'temperature', type: 'i-mr', source: { feature: 'temperature.mean' }, subgroup: 1, baseline: 25, rules: [1, 2, 3, 4] });
    expect(plant.replay!.columns).toEqual(['vibration', 'speed', 'temperature']);
    expect(plant.replay!.startUs).toBe(Date.UTC(2026, 0, 5, 6) * 1000);
  });
});

describe('what ships', () => {
  const root = new URL('../../../', import.meta.url).pathname;

  it.each(['demo', 'tep'])('plants/%s/plant.yaml is good', (name) => {
    expect(loadPlant(`${root}plants/${name}/plant.yaml`).name).toBe(name);
  });

  it('the example in docs/plant-file.md is good', () => {
    const example = /```yaml\n([\s\S]*?)```/.exec(readFileSync(`${root}docs/plant-file.md`, 'utf8'))![1]!;
    expect([...parsePlant(example, 'docs/plant-file.md').assets.keys()]).toEqual(['P-101']);
  });
});

describe('a plant file with a mistake is refused with its line and the remedy', () => {
  const at = (line: number, rest: string): string => `plants/small/plant.yaml:${line}: ${rest}`;

  it.each([
    ['a bad duration', 'hop: 1s', 'hop: 1x', [at(15, 'kinds.pump.window.hop: "1x" is not a duration; write a number with us, ms, s, min, h or d, for example "1s"')]],
    ['a bare number for a duration', 'hop: 1s', 'hop: 1', [at(15, 'kinds.pump.window.hop: 1 is not a duration; write a number with us, ms, s, min, h or d, for example "1s"')]],
    ['no time at all', 'hop: 1s', 'hop: 0s', [at(15, 'kinds.pump.window.hop: is no time at all; write a duration above zero')]],
    ['a missing key', ', hop: 1s', '', [at(15, 'kinds.pump.window.hop: is missing; write a number with us, ms, s, min, h or d, for example "1s"')]],
    ['an unknown key', 'models:', 'modles:', [at(16, 'kinds.pump.modles: unknown key; did you mean models?')]],
    ['a key that is near nothing', 'nan: reject', 'colour: red', [at(23, 'kinds.pump.signals.vibration.colour: unknown key; known are unit, description, rate, every, range, nan, spectrum, envelope')]],
    ['a bad choice', 'nan: reject', 'nan: rejct', [at(23, 'kinds.pump.signals.vibration.nan: "rejct" is not known; did you mean reject?')]],
    ['a text for a number', 'rate: 10240', 'rate: fast', [at(21, 'kinds.pump.signals.vibration.rate: "fast" is not right here; write a number')]],
    ['two rates', 'rate: 5,', 'rate: 5, every: 1s,', [at(26, 'kinds.pump.signals.speed: needs either rate (samples per second) or every (time between samples, for example "3min"), and not both')]],
    ['a range upside down', '[-20, 150]', '[150, -20]', [at(27, 'kinds.pump.signals.temperature.range: [150,-20] is not a range; write two numbers, the lower first, for example [0, 100]')]],
    ['an unknown kind', 'P-102: { kind: pump }', 'P-102: { kind: pmup }', [at(12, 'sites.Hamburg.areas.Machining.lines.Line 1.units.P-102.kind: there is no kind pmup; did you mean pump?')]],
    ['bands that descend', '[10, 200, 1000, 5000]', '[10, 200, 100]', [at(24, 'kinds.pump.signals.vibration.spectrum.bands: [10,200,100] is not a list of band edges; write at least two ascending numbers from 0 on, in Hz, for example [10, 200, 1000]')]],
    ['a band over the Nyquist frequency', '1000, 5000]', '1000, 6000]', [at(24, 'kinds.pump.signals.vibration.spectrum.bands: 6000 Hz is above half the sampling rate (5120 Hz); write at most that')]],
    ['an envelope without its speed signal', 'speed: speed', 'speed: sped', [at(25, 'kinds.pump.signals.vibration.envelope.speed: there is no signal sped in kind pump; did you mean speed?')]],
    ['a chart on no signal', 'feature: temperature.mean', 'feature: temprature.mean', [at(29, 'kinds.pump.charts.temperature.feature: there is no signal temprature in kind pump; did you mean temperature?')]],
    ['a chart on no feature', 'feature: temperature.mean', 'feature: temperature', [at(29, 'kinds.pump.charts.temperature.feature: "temperature" is not a feature; write signal.feature, for example vibration.mean')]],
    ['a subgroup that its chart does not take', 'feature: temperature.mean', 'feature: temperature.mean, subgroup: 5', [at(29, 'kinds.pump.charts.temperature.subgroup: 5 does not go with i-mr; write 1 or leave it out')]],
    ['specification limits exchanged', 'lower: 9.9', 'lower: 10.9', [at(30, 'kinds.pump.charts.diameter.spec: lower 10.9 is not below upper 10.1; exchange them')]],
    ['an alarm that could not stay on', 'onDelay: 3s', 'onAt: 0.4, offBelow: 0.5', [at(32, 'kinds.pump.alarms.diagnosis.offBelow: 0.5 is above onAt 0.4; the alarm would never stay on, write at most 0.4')]],
    ['a window without a sample', 'every: 200ms', 'every: 3s', [at(27, 'kinds.pump.signals.temperature: a window of 200ms holds no sample at one sample in 3s; lengthen window.length to 3s at least')]],
    ['a fault of no asset', 'asset: P-102', 'asset: P-103', [at(43, 'simulation.faults.0.asset: there is no asset P-103; did you mean P-101?')]],
    ['a fault that outlasts its schedule', 'lasts: 3min', 'lasts: 2h', [at(43, 'simulation.faults.0: ends after 2.00556h, when the schedule has begun again; make repeatEvery longer or the fault shorter')]],
    ['a local time without zone', '2026-01-05T06:00:00Z\n  interval', '2026-01-05 06:00\n  interval', [at(36, 'replay.start: "2026-01-05 06:00" is not a date and time; write ISO 8601 with a zone, for example "2026-01-05T06:00:00Z"')]],
    ['the reserved key as an asset', 'P-102:', '~watermark:', [
      at(12, 'sites.Hamburg.areas.Machining.lines.Line 1.units.~watermark: "~watermark" can\'t name a unit; write letters, digits, _, -, . and :, starting with a letter or digit'),
      at(43, 'simulation.faults.0.asset: there is no asset P-102; did you mean P-101?'),
    ]],
  ])('%s', (_, from, to, expected) => {
    expect(problemsWith(from, to)).toEqual(expected);
  });

  it('an asset id that two lines share', () => {
    const line2 = '          Line 2:\n            units:\n              P-101: { kind: pump }\nkinds:';
    expect(problemsWith('kinds:', line2)).toEqual([
      at(15, 'sites.Hamburg.areas.Machining.lines.Line 2.units.P-101: asset id P-101 is taken by another unit already; ids are unique in the plant, choose another'),
    ]);
  });

  it('a key twice', () => {
    expect(problemsWith('P-102:', 'P-101:')).toEqual([at(12, 'is not YAML: Map keys must be unique')]);
  });

  it('what is no plant file at all, by its first hundred problems', () => {
    const signals = Array.from({ length: 5_000 }, (_, i) => `      s${i}: { unit: g, rate: -1, range: [0, 1] }`).join('\n');
    for (const text of [GOOD.replace('      vibration:', `${signals}\n      vibration:`), '- ]\n'.repeat(5_000)]) {
      const lines = problemsOf(text);
      expect(lines).toHaveLength(101);
      expect(lines.at(-1)).toMatch(/: there are \d+ more problems: mend these first, or give the path of another file\.$/);
    }
  });

  it('all problems at once, in the order of the file', () => {
    const text = GOOD.replace('hop: 1s', 'hop: 1x').replace('kind: pump }', 'kind: fan }').replace('every: 200ms', 'every: often').replace('asset: P-102', 'asset: X');
    expect(problemsOf(text).map((line) => Number(line.split(':')[1]))).toEqual([12, 15, 27, 43]);
  });

  it('a file that is no plant at all', () => {
    expect(problemsOf('just a text')[0]).toBe(at(1, '"just a text" is not right here; write keys with values'));
    expect(problemsOf('')[0]).toMatch(/^plants\/small\/plant.yaml:1: /);
  });

  it('a file that is not there', () => {
    expect(() => loadPlant('/nowhere/plant.yaml')).toThrow(/^\/nowhere\/plant.yaml:1: can't be read \(ENOENT.*\); give the path of a plant.yaml$/);
  });
});
