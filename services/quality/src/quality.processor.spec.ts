import { describe, expect, it } from '@jest/globals';
import { FeatureVector, Finding, FindingKind, Inspection_Result, packFloat64, ProductionRecord, TOPICS } from '@millwright/contracts';
import { parsePlant } from '@millwright/plant';
import { fitMonitorBaseline, type MonitorBaseline } from '@millwright/quality';
import { FeatureExtractor } from '@millwright/signal';
import { PoisonRecordError, type Context, type Emission, type LogRecord } from '@millwright/streams';
import fc from 'fast-check';
import { createQualityProcessor } from './quality.processor.js';
import { STATE_VERSION } from './state-codec.js';

const PLANT = `
name: test
enterprise: Test
sites:
  S:
    areas:
      A:
        lines:
          L:
            units:
              U-1: { kind: unit }
kinds:
  unit:
    window: { length: 10s, hop: 10s }
    monitor: { baseline: normal }
    signals:
      temperature: { unit: degC, rate: 1, range: [-1000, 1000] }
      pressure: { unit: kPa, rate: 1, range: [-1000, 1000] }
      flow: { unit: m3/h, rate: 1, range: [-1000, 1000] }
    charts:
      temperature: { type: i-mr, feature: temperature.mean, baseline: 5, rules: [1, 2] }
      diameter: { type: xbar-r, characteristic: diameter, subgroup: 2, baseline: 3, rules: [1], spec: { lower: 4, upper: 16, minimumCpk: 1 } }
`;
const plant = parsePlant(PLANT, '/plants/test/plant.yaml');
const kind = plant.kinds.get('unit')!;
const { layout, names } = new FeatureExtractor(kind);
const NAMES = ['temperature.mean', 'pressure.mean', 'flow.mean'];

/** Normal operation: flow and pressure go together, temperature by itself. */
const baseline: MonitorBaseline = fitMonitorBaseline(
  Array.from({ length: 200 }, (_, i) => Float64Array.of(50 + Math.sin(i), 100 + 5 * Math.cos(i * 0.7), 20 + Math.cos(i * 0.7) + 0.1 * Math.sin(i * 31))),
  { kind: 'unit', features: NAMES, alpha: 0.001, varianceExplained: 0.8, overlap: 1, dataSha256: 'test' },
);

interface Window {
  readonly end: number;
  readonly temperature?: number;
  readonly pressure?: number;
  readonly flow?: number;
  readonly revision?: number;
  readonly silent?: readonly string[];
  /** Share of the temperature's samples that is missing. */
  readonly missing?: number;
}

function window({ end, temperature = 50, pressure = 100, flow = 20, revision = 0, silent = [], missing = 0 }: Window): LogRecord {
  const values = new Float64Array(names.length).fill(NaN);
  [temperature, pressure, flow].forEach((value, i) => (values[names.indexOf(NAMES[i]!)] = value));
  values[names.indexOf('temperature.missing_ratio')] = missing;
  const vector = FeatureVector.fromPartial({ asset: 'U-1', kind: 'unit', windowStartUs: (end - 10) * 1e6, windowEndUs: end * 1e6, revision, layout, values: packFloat64(values), silentSignals: [...silent] });
  return record(TOPICS.features.name, TOPICS.features.schema, FeatureVector.encode(vector).finish(), end);
}

/** Of a plant whose windows are twice as long. */
function longWindow(end: number): LogRecord {
  const vector = FeatureVector.decode(window({ end }).value);
  return record(TOPICS.features.name, TOPICS.features.schema, FeatureVector.encode({ ...vector, windowStartUs: (end - 20) * 1e6 }).finish(), end);
}

function inspection(at: number, value: number, characteristic = 'diameter'): LogRecord {
  const production = ProductionRecord.fromPartial({
    asset: 'U-1',
    timeUs: at * 1e6,
    body: { $case: 'inspection', value: { unitId: `${at}`, characteristic, value, unit: 'mm', result: Inspection_Result.PASS } },
  });
  return record(TOPICS.production.name, TOPICS.production.schema, ProductionRecord.encode(production).finish(), at);
}

function record(topic: string, schema: string, value: Uint8Array, at: number, key = 'U-1'): LogRecord {
  return { topic, partition: 0, offset: 0, key, value, timeMs: at * 1000, headers: { schema, source: 'test', sequence: 1 } };
}

const processor = createQualityProcessor(plant, new Map([['normal', baseline]]));

/** Runs records through the processor, the state through its codec after each. */
function run(records: readonly LogRecord[]): { findings: Finding[]; state: Uint8Array } {
  let state = processor.codec.encode(processor.initial('U-1'));
  const findings = records.flatMap((input) => {
    const live = processor.codec.decode(state, STATE_VERSION);
    const emissions = processor.onRecord(processor.decode(input), live, contextOf(input), input) as readonly Emission[];
    state = processor.codec.encode(live);
    return emissions.map((emission) => {
      expect(emission).toMatchObject({ topic: TOPICS.quality.name, key: 'U-1', timeMs: input.timeMs, schema: TOPICS.quality.schema });
      return Finding.decode(emission.value);
    });
  });
  return { findings, state };
}

function contextOf(input: LogRecord): Context {
  const unexpected = (): never => {
    throw new Error('not to be called');
  };
  return { key: input.key, partition: 0, topic: input.topic, watermarkUs: -Infinity, isLive: true, setTimer: unexpected, late: unexpected, forget: unexpected };
}

const ofChart = (findings: readonly Finding[], chart: string): Finding[] => findings.filter((finding) => finding.chart === chart);

describe('quality processor', () => {
  // Phase I: 49 51 50 52 48, mean 50, mean moving range 2.25, sigma 2.25 / 1.1284 = 1.994: limits 44.018 and 55.982.
  const phaseOne = [49, 51, 50, 52, 48].map((temperature, i) => window({ end: (i + 1) * 10, temperature }));

  it('publishes a finding at every evaluation while a control rule is broken, and one when that ends', () => {
    const { findings } = run([...phaseOne, window({ end: 60, temperature: 55.9 }), window({ end: 70, temperature: 56 }), window({ end: 80, temperature: 57 }), window({ end: 90, temperature: 49 }), window({ end: 100 })]);
    const chart = ofChart(findings, 'U-1/temperature');
    expect(chart.map(({ timeUs, active, rules }) => [timeUs / 1e6, active, rules])).toEqual([[60, true, []], [70, true, [1]], [80, true, [1]], [90, true, []], [100, false, []]]);
    expect(chart[1]).toMatchObject({ asset: 'U-1', kind: 'unit', finding: FindingKind.CONTROL_RULE, value: 56, center: 50 });
    expect(chart[1]!.upperLimit).toBeCloseTo(55.982, 3);
    expect(chart[1]!.description).toBe('temperature: value 56, limits 44.018 to 55.982: a point beyond three sigma (Nelson rule 1).');
    expect(chart[0]!.description).toContain('moving range 7.9');
  });

  it('passes over windows without the feature', () => {
    const gap = window({ end: 55, temperature: NaN });
    expect(ofChart(run([...phaseOne, gap, window({ end: 60, temperature: 57 })]).findings, 'U-1/temperature')).toHaveLength(1);
  });

  it('passes over windows in which too much of the signal is missing', () => {
    const partial = window({ end: 60, temperature: 90, missing: 0.3 });
    const { findings } = run([...phaseOne, partial]);
    expect(ofChart(findings, 'U-1/temperature')).toEqual([]);
    expect(ofChart(findings, 'U-1/t2')).toEqual([]);
    expect(ofChart(run([...phaseOne, window({ end: 60, temperature: 90, missing: 0.2 })]).findings, 'U-1/temperature')).toHaveLength(1);
  });

  it('keeps the first value of an amended window in charts, which later points were judged with', () => {
    const { findings } = run([...phaseOne, window({ end: 60, temperature: 50 }), window({ end: 60, temperature: 90, revision: 1 })]);
    expect(ofChart(findings, 'U-1/temperature')).toEqual([]);
  });

  it('judges inspected characteristics by subgroups, and their capability', () => {
    // Means 10, ranges 2: sigma 2 / 1.128 = 1.7725; Cpk = 6 / (3 * 1.7725) = 1.128. Then means of 11.3 lower Cpk below 1.
    const values = [9, 11, 9, 11, 9, 11, 10.3, 12.3, 10.3, 12.3, 9, 11, 9, 11];
    const { findings } = run(values.map((value, i) => inspection(i + 1, value)));
    const capability = ofChart(findings, 'U-1/diameter');
    expect(capability.map(({ timeUs, active }) => [timeUs / 1e6, active])).toEqual([[10, true], [12, true], [14, false]]);
    for (const each of capability) expect(each).toMatchObject({ finding: FindingKind.CAPABILITY, lowerLimit: 1 });
    expect(capability[0]!.value).toBeCloseTo((16 - (10 + 11.3 + 11.3) / 3) / (3 * 2 / 1.1283791671), 6);
    expect(capability[0]!.description).toBe('diameter: Cpk 0.97 is below the 1 asked for.');
  });

  it('watches T² and SPE, names the signals, and judges an amended newest window again', () => {
    const { findings } = run([
      window({ end: 10 }),
      window({ end: 20, temperature: 70 }),
      window({ end: 30, flow: 30 }),
      window({ end: 30, revision: 1 }),
      window({ end: 20, temperature: 70, revision: 1 }),
    ]);
    const t2 = ofChart(findings, 'U-1/t2');
    expect(t2[0]).toMatchObject({ finding: FindingKind.MULTIVARIATE, active: true, timeUs: 20e6, upperLimit: baseline.t2Limit });
    expect(t2[0]!.value).toBeGreaterThan(baseline.t2Limit);
    expect(t2[0]!.contributions[0]!.signal).toBe('temperature');
    expect(t2[0]!.contributions.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 10);
    const spe = ofChart(findings, 'U-1/spe').filter(({ timeUs }) => timeUs === 30e6);
    expect(spe.map(({ active, revision }) => [active, revision])).toEqual([[true, 0], [false, 1]]);
    expect(spe[0]!.contributions.slice(0, 2).map(({ signal }) => signal).sort()).toEqual(['flow', 'pressure']);
  });

  it('reports silent signals until they speak again', () => {
    const { findings } = run([window({ end: 10, silent: ['flow'], flow: NaN }), window({ end: 20, silent: ['flow', 'pressure'], flow: NaN, pressure: NaN }), window({ end: 30 })]);
    const silence = findings.filter(({ finding }) => finding === FindingKind.SILENT_SIGNAL);
    expect(silence.map(({ chart, timeUs, active }) => [chart, timeUs / 1e6, active])).toEqual([
      ['U-1/flow', 10, true],
      ['U-1/flow', 20, true],
      ['U-1/pressure', 20, true],
      ['U-1/flow', 30, false],
      ['U-1/pressure', 30, false],
    ]);
  });

  it('refuses what it can never judge, in one sentence', () => {
    const unknown = record(TOPICS.production.name, TOPICS.production.schema, ProductionRecord.encode(ProductionRecord.fromPartial({ asset: 'U-9' })).finish(), 1, 'U-9');
    expect(() => processor.onRecord(processor.decode(unknown), processor.initial('U-9'), contextOf(unknown), unknown)).toThrow(new PoisonRecordError('asset: U-9 is not in the plant file of test: add it there, or send it to the plant that has it'));
    expect(() => processor.decode({ ...inspection(1, 10), key: 'U-9' })).toThrow(new PoisonRecordError('asset: "U-1" stands in a record with key "U-9": the writer must use the asset as the key'));
    expect(() => run([longWindow(10)])).toThrow('window: 20000000 us is not the 10000000 us of kind unit: run features and quality on the same plant file');
    const foreign = record(TOPICS.features.name, TOPICS.features.schema, FeatureVector.encode(FeatureVector.fromPartial({ asset: 'U-1', layout: 'other', values: new Uint8Array(16) })).finish(), 1);
    expect(() => run([foreign])).toThrow('layout: other with 2 values is not');
    expect(() => createQualityProcessor(plant, new Map())).toThrow('kind unit: there is no baseline normal: make it with `millwright quality baseline`');
    expect(() => createQualityProcessor(plant, new Map([['normal', { ...baseline, features: ['x.mean', 'y.mean', 'z.mean'] }]]))).toThrow('x.mean is not among its features');
    expect(() => processor.codec.decode(new Uint8Array(8), STATE_VERSION + 1)).toThrow('quality state: version 2 is not 1');
  });

  it('starts a chart of a feature anew when its windows change, for its limits came of others', () => {
    const state = processor.initial('U-1');
    for (let i = 1; i <= 8; i++) processor.onRecord(processor.decode(window({ end: 10 * i, temperature: 50 + (i % 3) })), state, contextOf(window({ end: 10 * i })), window({ end: 10 * i }));
    expect(state.charts.get('temperature')!.points).toHaveLength(8);
    const changed = parsePlant(PLANT.replace('length: 10s', 'length: 20s'), '/plants/test/plant.yaml');
    const after = createQualityProcessor(changed, new Map([['normal', baseline]]));
    const kept = after.codec.decode(processor.codec.encode(state), STATE_VERSION);
    after.onRecord(after.decode(longWindow(90)), kept, contextOf(longWindow(90)), longWindow(90));
    expect(kept.charts.get('temperature')!.points).toHaveLength(1);
    expect(kept.charts.get('temperature')!.state.limits).toBeUndefined();
  });

  it('refuses a state whose bytes are damaged, whatever they say of lengths', () => {
    const state = processor.initial('U-1');
    for (let i = 1; i <= 8; i++) processor.onRecord(processor.decode(window({ end: 10 * i })), state, contextOf(window({ end: 10 * i })), window({ end: 10 * i }));
    const bytes = processor.codec.encode(state);
    expect(() => processor.codec.decode(bytes.subarray(0, bytes.length - 8), STATE_VERSION)).toThrow('quality state: it ends too early');
    for (let at = bytes.length - 8; at > 200; at -= 8) {
      const damaged = bytes.slice();
      new DataView(damaged.buffer).setFloat64(at, 4e9, true);
      try {
        processor.codec.decode(damaged, STATE_VERSION);
      } catch (error) {
        expect((error as Error).message).toMatch(/^quality state: /);
      }
    }
  });

  it('says and remembers the same however the two topics are interleaved', () => {
    const value = fc.oneof(fc.double({ min: -50, max: 150, noNaN: true }), fc.constantFrom(10, 50, NaN));
    const windows = fc.array(fc.record({ temperature: value, pressure: value, flow: value, silent: fc.subarray(['flow', 'pressure']) }), { maxLength: 30 });
    fc.assert(
      fc.property(windows, fc.array(value, { maxLength: 30 }), fc.array(fc.boolean(), { maxLength: 60 }), (specs, measured, order) => {
        const features = specs.map((spec, i) => window({ ...spec, end: (i + 1) * 10 }));
        const production = measured.map((measure, i) => inspection(i + 1, measure));
        const rest = { features: [...features], production: [...production] };
        const mixed = order.flatMap((first) => rest[first ? 'features' : 'production'].splice(0, 1));
        const one = run([...features, ...production]);
        const other = run([...mixed, ...rest.production, ...rest.features]);
        const ofTopic = (findings: readonly Finding[], production: boolean): Finding[] => findings.filter(({ chart }) => chart.startsWith('U-1/diameter') === production);
        for (const part of [true, false]) expect(ofTopic(other.findings, part)).toEqual(ofTopic(one.findings, part));
        expect(other.state).toEqual(one.state);
      }),
      { numRuns: 100 },
    );
  });
});
