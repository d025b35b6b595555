import { describe, expect, it } from '@jest/globals';
import { Finding, FindingKind, FeatureVector, InferenceResult, TOPICS } from '@millwright/contracts';
import { Random } from '@millwright/learning';
import type { Manifest, ModelDescription } from '@millwright/models';
import { profileOf } from '@millwright/quality';
import { PureRun, type Emission, type PureRecord } from '@millwright/streams';
import type { Plant } from '@millwright/plant';
import { judgeOf, type Bench } from '../judge.js';
import { features, KIND, LAYOUT, NAMES, vector } from '../testing/fixtures.js';
import { NO_REGISTRY, type Version, type VersionSource } from '../version.js';
import { createDriftProcessor } from './drift.processor.js';

const kind = { ...KIND, models: ['toy-diagnosis'] };
const asset = (id: string) => [id, { id, kind, site: '', area: '', line: '', description: '' }] as const;
const plant: Plant = { name: 'toy', enterprise: '', directory: '', assets: new Map([asset('P1'), asset('P2')]), kinds: new Map([[kind.name, kind]]) };

const random = new Random(3);
const trained = Array.from({ length: 2000 }, () => random.normal());
const plain = (values: readonly number[]) => {
  const { edges, counts, missing, limit } = profileOf(values);
  return { edges: [...edges], counts: [...counts], missing, limit };
};

/** A version that is only described: nothing runs here. */
function described(version: string, profile = true): Version {
  const manifest = {
    format: 'millwright-model/1', name: 'toy-diagnosis', version, description: '', task: 'diagnosis', kinds: ['pump'], input: { name: 'features', features: ['speed.mean', 'speed~heat.xcorr'], history: 1 },
    batch: 32, preprocessing: { impute: [0, 0], mean: [0, 0], std: [1, 1], clip: 5 }, labels: ['fine', 'worn'], normal: 'fine', outputs: { probabilities: 'p' }, sha256: '0'.repeat(64),
    ...(profile ? { profile: { inputs: [plain(trained), plain(trained)], prediction: plain(trained.map((x) => 1 / (1 + Math.exp(-x)))) } } : {}),
    training: { data: '', dataSha256: '0'.repeat(64), command: '', metrics: {} },
  } satisfies Manifest;
  const model: ModelDescription = { directory: version, manifest, width: 2, outputs: [] };
  return { model, run: () => Promise.reject(new Error('nothing runs here')) };
}

function processor(versions: VersionSource = NO_REGISTRY) {
  const bench: Bench = { kind, layout: LAYOUT, names: NAMES, judges: [judgeOf({ kind, names: NAMES }, described('1'))] };
  return createDriftProcessor(plant, new Map([[kind.name, bench]]), versions);
}

const seen = (asset: string, k: number, shift: number, draw: Random, changes: Partial<FeatureVector> = {}): PureRecord => {
  const message = vector(asset, k, features({ 'speed.mean': draw.normal() + shift, 'speed~heat.xcorr': draw.normal() }), changes);
  return { key: asset, value: FeatureVector.encode(message).finish(), timeMs: message.windowEndUs / 1000, schema: TOPICS.features.schema };
};
const said = (asset: string, k: number, probability: number, version = '1'): PureRecord => {
  const { kind: name, windowStartUs, windowEndUs } = vector(asset, k, features({}));
  const probabilities = [{ label: 'fine', probability }, { label: 'worn', probability: 1 - probability }];
  const message = InferenceResult.fromPartial({ asset, kind: name, windowStartUs, windowEndUs, model: 'toy-diagnosis', modelVersion: version, result: { $case: 'diagnosis', value: { label: 'fine', normal: true, confidence: probability, probabilities } } });
  return { key: asset, topic: TOPICS.inferences.name, value: InferenceResult.encode(message).finish(), timeMs: windowEndUs / 1000, schema: TOPICS.inferences.schema };
};
const findings = (emissions: readonly Emission[]): Finding[] => emissions.filter(({ topic }) => topic === TOPICS.quality.name).map(({ value }) => Finding.decode(value));

describe('drift processor', () => {
  it('finds inputs that have drifted in the span they did, names the signals, and says when it is over', () => {
    const draw = new Random(8);
    const records = Array.from({ length: 1200 }, (_, k) => seen('P1', k, k >= 300 && k < 600 ? 1.5 : 0, draw));
    const found = findings(new PureRun(processor()).push(records));
    expect(found.map(({ chart, finding, active }) => [chart, finding, active])).toEqual([['P1/toy-diagnosis/inputs', FindingKind.DRIFT, true], ['P1/toy-diagnosis/inputs', FindingKind.DRIFT, false]]);
    expect(found[0]!.description).toMatch(/^The inputs of toy-diagnosis 1 have drifted from its training over 300 windows: speed\.mean \(PSI \d\.\d\d, limit 0\.25, KS 0\.[4-6]\d\); look whether the asset has changed, and evaluate the model or train it anew\.$/);
    expect(found[0]!.contributions).toEqual([{ signal: 'speed', share: 1 }]);
    expect(found[0]!.value).toBeGreaterThan(found[0]!.upperLimit);
    expect(found[1]!.description).toBe('The inputs of toy-diagnosis 1 are as in training again.');
  });

  it('finds predictions that have drifted', () => {
    const draw = new Random(9);
    const records = Array.from({ length: 700 }, (_, k) => said('P2', k, 1 / (1 + Math.exp(-draw.normal() + (k >= 300 ? 1.5 : 0)))));
    expect(findings(new PureRun(processor()).push(records)).map(({ chart, active }) => [chart, active])).toEqual([['P2/toy-diagnosis/predictions', true]]);
  });

  it('does not count amendments, and not what comes after its span was judged', () => {
    const draw = new Random(10);
    const run = new PureRun(processor());
    const normal = Array.from({ length: 310 }, (_, k) => seen('P1', k, 0, draw));
    const amended = Array.from({ length: 310 }, (_, k) => seen('P1', k, 9, draw, { revision: 1 }));
    const late = Array.from({ length: 300 }, (_, k) => seen('P1', k, 9, draw));
    expect(findings(run.push([...normal, ...amended, ...late, seen('P1', 605, 0, draw)]))).toEqual([]);
  });

  it('watches by the version that acts: a condition of the one before ends with it', () => {
    const draw = new Random(11);
    const next = described('2', false);
    const at = 400 * 10e6;
    const run = new PureRun(processor({ at: (_, __, endUs) => ({ acting: endUs > at ? next : undefined, shadows: [] }) }));
    const found = findings(run.push(Array.from({ length: 900 }, (_, k) => seen('P1', k, 1.5, draw))));
    expect(found.map(({ active, description }) => [active, description.slice(0, 35)])).toEqual([[true, 'The inputs of toy-diagnosis 1 have '], [false, 'Another version of toy-diagnosis ju']]);
  });

  it('gives the same however inputs are interleaved and state is carried over', () => {
    const draw = new Random(12);
    const inputs = Array.from({ length: 700 }, (_, k) => seen('P1', k, k / 300, draw));
    const predictions = Array.from({ length: 700 }, (_, k) => said('P1', k, draw.uniform()));
    const own = (emissions: readonly Emission[]): Record<string, string[]> => {
      const result: Record<string, string[]> = {};
      for (const { value } of emissions) (result[Finding.decode(value).chart] ??= []).push(Buffer.from(value).toString('hex'));
      return result;
    };
    const one = own(new PureRun(processor()).push([...inputs, ...predictions]));
    expect(Object.keys(one)).toHaveLength(2);
    expect(own(new PureRun(processor()).push(inputs.flatMap((record, i) => [record, predictions[i]!])))).toEqual(one);
    const { codec, stateVersion } = processor();
    const carrying = processor();
    const states = new Map<string, ReturnType<typeof carrying.initial>>();
    const emissions = inputs.flatMap((record, i) => {
      const state = states.get('P1') ?? carrying.initial('P1');
      states.set('P1', i % 50 === 0 ? codec.decode(codec.encode(state), stateVersion) : state);
      const log = { ...record, topic: TOPICS.features.name, partition: 0, offset: i, headers: { schema: '', source: '', sequence: 0 } };
      return carrying.onRecord(carrying.decode(log), states.get('P1')!, {} as never, log) as readonly Emission[];
    });
    expect(own(emissions)['P1/toy-diagnosis/inputs']).toEqual(one['P1/toy-diagnosis/inputs']);
  });
});
