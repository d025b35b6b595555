import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AlarmEvent, Finding, FindingKind, InferenceResult, ModelVersion, ShadowResult, Stage, TOPICS, WATERMARK_SCHEMA } from '@millwright/contracts';
import { exportClassifier } from '@millwright/learning';
import { PipelineMeter } from '@millwright/liveview';
import { writePackage, type DiagnosisManifest } from '@millwright/models';
import { createLogger, noTelemetry } from '@millwright/observability';
import { loadPlant, type Plant } from '@millwright/plant';
import { DEFAULT_SETTINGS } from '@millwright/service-ingestion';
import { startStandalone } from '@millwright/service-standalone';
import { readEnvironment, shellEnvironment } from '@millwright/shell';
import { createSimulator } from '@millwright/simulator';
import type { EventLog, LogRecord } from '@millwright/streams';
import { plantPath } from './home.js';
import { compare, history, move, register, rollback, which } from './registry.js';
import { UsageError } from './usage-error.js';

const MODEL = 'rotating-diagnosis';
const plant = loadPlant(plantPath('demo'));
const OUTPUTS = [TOPICS.features, TOPICS.inferences, TOPICS.shadows, TOPICS.quality, TOPICS.alarms, TOPICS.alarmStates].map(({ name }) => name);
const SECONDS = 70;
const HEADWAY_US = 10e6;

let folder: string;
let candidate: string;
let printed: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millwright-lifecycle-'));
  process.env['MILLWRIGHT_REGISTRY'] = join(folder, 'registry');
  candidate = join(folder, 'candidate');
  const { sha256: _, ...manifest } = JSON.parse(await readFile(join(plant.directory, 'models', MODEL, 'manifest.json'), 'utf8')) as DiagnosisManifest;
  const { features } = manifest.input;
  const { outputs: { contributions: _none, ...outputs }, labels } = manifest;
  // It says outer_race whatever it sees: nobody could miss whether it was acted on.
  const bias = Float32Array.from(labels, (label) => (label === 'outer_race' ? 20 : 0));
  const network = { layers: [{ inputs: features.length, outputs: labels.length, weights: new Float32Array(features.length * labels.length), bias }] };
  const ones = Float64Array.from(features, () => 1);
  const scaler = { impute: ones, mean: ones, std: ones, clip: 5 };
  await writePackage(candidate, { ...manifest, version: '2.0.0', outputs: { ...outputs, contributions: 'contributions' } }, exportClassifier(network, scaler, manifest.batch));
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => ((printed += String(text)), true));
  jest.spyOn(process.stderr, 'write').mockImplementation(() => true);
});
afterAll(async () => {
  jest.restoreAllMocks();
  delete process.env['MILLWRIGHT_REGISTRY'];
  await rm(folder, { recursive: true, force: true });
});

/** What a command prints. */
async function output(command: () => Promise<number>): Promise<string> {
  printed = '';
  expect(await command()).toBe(0);
  return printed;
}

interface Played {
  /** By topic and key, in order. */
  readonly outputs: Record<string, string[]>;
  readonly records: readonly LogRecord[];
  readonly changes: readonly LogRecord[];
}

/** Plays the demo plant through a line of its own; `before` is told of each second, and of the address of inference. */
async function play(options: { readonly plant?: Plant; readonly seconds?: number; readonly begin?: (log: EventLog) => Promise<void>; readonly before?: (second: number, address: string) => Promise<void> }): Promise<Played> {
  const { plant: playedPlant = plant, seconds = SECONDS } = options;
  const { config } = readEnvironment({ config: shellEnvironment }, { MILLWRIGHT_PLANT: 'demo', MILLWRIGHT_PARTITIONS: '2', GRPC_PORT: '0', HTTP_PORT: '0', LISTEN_HOST: '127.0.0.1', LOG_LEVEL: 'silent' });
  const standalone = await startStandalone({
    plant: playedPlant, file: ':memory:', config, ingestion: { ...DEFAULT_SETTINGS, idleMs: Infinity, maxAheadMs: Infinity }, inference: { workers: 1, registryFolder: join(folder, 'registry') },
    logger: createLogger({ service: 'standalone', level: config.logLevel }), telemetry: noTelemetry,
  });
  try {
    const { log, intake, addresses } = standalone;
    await options.begin?.(log);
    const meter = new PipelineMeter();
    await meter.attach(log);
    const simulator = createSimulator(playedPlant);
    for (let second = 0; second < seconds; second++) {
      await options.before?.(second, addresses.grpc);
      const { production, blocks, advanceToUs } = simulator.step();
      for (const { durable } of [await intake.production.take(production), await intake.telemetry.take(blocks)]) await durable;
      intake.advance(simulator.name, advanceToUs);
      await intake.flush();
      await meter.waitForWatermark(advanceToUs);
    }
    const all: LogRecord[] = [];
    const tail = await log.tail({ topics: [...OUTPUTS, TOPICS.models.name], from: 'earliest', batch: ({ records }) => void all.push(...records.map((record) => ({ ...record, value: record.value.slice() }))) });
    await tail.caughtUp();
    await tail.close();
    await meter.close();
    const records = all.filter(({ headers, topic }) => headers.schema !== WATERMARK_SCHEMA && topic !== TOPICS.models.name);
    const outputs: Record<string, string[]> = {};
    for (const { topic, key, timeMs, value } of records) (outputs[`${topic} ${key}`] ??= []).push(`${timeMs} ${Buffer.from(value).toString('base64')}`);
    return { outputs, records, changes: all.filter(({ topic }) => topic === TOPICS.models.name) };
  } finally {
    await standalone.close();
  }
}

const of = (records: readonly LogRecord[], topic: { readonly name: string }): LogRecord[] => records.filter((record) => record.topic === topic.name);

describe('lifecycle of a model', () => {
  it('goes from candidate over shadow and production back again while the line runs, and two replays repeat it byte for byte', async () => {
    const ada = (address: string) => ({ address, by: 'Ada', reason: 'better' });
    let last = '';
    const live = await play({
      before: async (second, address) => {
        last = address;
        if (second === 5) {
          await output(() => register(candidate, ada(address)));
          await output(() => move(MODEL, '2.0.0', { ...ada(address), stage: 'shadow' }));
          await expect(move(MODEL, '3.0.0', { ...ada(address), stage: 'shadow' })).rejects.toThrow(new UsageError(`${MODEL} has no version 3.0.0 (2.0.0): register it first.`));
          await expect(rollback(MODEL, ada(address))).rejects.toThrow('there is nothing to roll back.');
        }
        if (second === 25) await output(() => move(MODEL, '2.0.0', { ...ada(address), stage: 'production' }));
        if (second === 45) {
          await expect(move(MODEL, '2.0.0', { ...ada(address), stage: 'retired', from: '2026-01-05T06:00:01Z' })).rejects.toThrow(/^Windows up to .* have been judged/);
          await output(() => rollback(MODEL, { address, by: 'Bea', reason: 'cries wolf' }));
        }
        if (second === SECONDS - 1) {
          expect(await output(() => history(MODEL, { address: last }))).toMatch(/candidate.*by Ada[\s\S]*shadow[\s\S]*production[\s\S]*the package beside the plant file\)  back in production.*by Bea on .*: cries wolf/);
          expect(await output(() => compare(MODEL, { address: last }))).toMatch(/2\.0\.0 in the shadow of 1\.0\.0: \d+ windows, [\d.]+ % agree[\s\S]*production normal, shadow outer_race/);
        }
      },
    });

    const changes = live.changes.map(({ value }) => ModelVersion.decode(value));
    expect(changes.map(({ stage, version }) => [stage, version])).toEqual([[Stage.CANDIDATE, '2.0.0'], [Stage.SHADOW, '2.0.0'], [Stage.PRODUCTION, '2.0.0'], [Stage.PRODUCTION, '']]);
    const [, shadow, production, back] = changes.map(({ effectiveUs }) => effectiveUs) as [number, number, number, number];
    expect(production - shadow).toBeGreaterThan(HEADWAY_US);

    // Each window was judged by who was in force at its end, and by nobody else.
    const judgements = of(live.records, TOPICS.inferences).map(({ value }) => InferenceResult.decode(value)).filter(({ model }) => model === MODEL);
    for (const { windowEndUs, modelVersion } of judgements) expect([windowEndUs, modelVersion]).toEqual([windowEndUs, windowEndUs > production && windowEndUs <= back ? '2.0.0' : '1.0.0']);
    expect(new Set(judgements.map(({ modelVersion }) => modelVersion)).size).toBe(2);
    const shadows = of(live.records, TOPICS.shadows).map(({ value }) => ShadowResult.decode(value));
    const window = ({ asset, windowEndUs, revision }: InferenceResult): string => `${asset} ${windowEndUs} ${revision}`;
    expect(shadows.map(({ shadow: by }) => window(by!)).sort()).toEqual(judgements.filter(({ windowEndUs }) => windowEndUs > shadow && windowEndUs <= production).map(window).sort());
    expect(shadows.every(({ shadow: by, production: beside }) => by!.modelVersion === '2.0.0' && beside!.modelVersion === '1.0.0' && window(by!) === window(beside!))).toBe(true);

    // In the shadow it is acted on by nobody; in production it is.
    const alone = await play({});
    const acted = ({ records }: Played, untilUs: number): string[] =>
      [...of(records, TOPICS.alarms), ...of(records, TOPICS.alarmStates), ...of(records, TOPICS.quality)].filter(({ timeMs }) => timeMs * 1000 <= untilUs).map(({ topic, key, value }) => `${topic} ${key} ${Buffer.from(value).toString('base64')}`).sort();
    expect(acted(live, production)).toEqual(acted(alone, production));
    const alarmed = ({ records }: Played): number => new Set(of(records, TOPICS.alarms).map(({ value }) => AlarmEvent.decode(value).alarm!.asset)).size;
    expect(alarmed(live)).toBeGreaterThan(alarmed(alone));

    // A replay has the changes from its beginning, and gives the same.
    const begin = (log: EventLog): Promise<void> => log.append(live.changes.map(({ offset: _, ...record }) => record));
    for (let time = 0; time < 2; time++) {
      const replayed = await play({ begin });
      expect(replayed.outputs).toEqual(live.outputs);
    }
  });

  it('whose inputs are not those of its training says so, and a replay says the same', async () => {
    const own = join(folder, 'plant');
    await cp(plant.directory, own, { recursive: true });
    const file = join(own, 'models', MODEL, 'manifest.json');
    const manifest = JSON.parse(await readFile(file, 'utf8')) as DiagnosisManifest;
    // Trained where the motor ran at half the speed; all else may be anything.
    const anything = { edges: [], counts: [1000], missing: 0, limit: 0.25 };
    const slow = { edges: [1, 2, 3, 4], counts: [0, 300, 300, 400, 0], missing: 0, limit: 0.25 };
    await writeFile(file, JSON.stringify({ ...manifest, profile: { inputs: manifest.input.features.map((feature) => (feature === 'speed.mean' ? slow : anything)), prediction: anything } }));
    const drifting = { plant: loadPlant(join(own, 'plant.yaml')), seconds: 310 };
    const live = await play(drifting);
    const findings = of(live.records, TOPICS.quality).map(({ value }) => Finding.decode(value)).filter(({ finding }) => finding === FindingKind.DRIFT);
    const pumps = [...plant.assets.values()].filter(({ kind }) => kind.models.includes(MODEL)).map(({ id }) => id);
    expect(findings.map(({ chart, active, contributions }) => [chart, active, contributions[0]?.signal]).sort()).toEqual(pumps.map((id) => [`${id}/${MODEL}/inputs`, true, 'speed']).sort());
    const alarmed = of(live.records, TOPICS.alarms).map(({ value }) => AlarmEvent.decode(value).alarm!.id);
    for (const id of pumps) expect(alarmed).toContain(`${id}/drift/${MODEL}/inputs`);
    expect((await play(drifting)).outputs).toEqual(live.outputs);
  });

  it('answers which version was in production when, and who approved it', async () => {
    let asked = '';
    await play({
      before: async (second, address) => {
        if (second === 0) {
          // Before anything was judged a change may hold from any time.
          await output(() => register(candidate, { address, by: 'Ada', reason: 'first', from: '2026-01-01T00:00:00Z' }));
          await output(() => move(MODEL, '2.0.0', { address, by: 'Ada', reason: 'approved', stage: 'production', from: '2026-01-05T06:00:10Z' }));
          await output(() => rollback(MODEL, { address, by: 'Bea', reason: 'no', from: '2026-01-05T06:00:20Z' }));
        }
        if (second !== 1) return;
        for (const at of ['2026-01-05T06:00:10Z', '2026-01-05T06:00:11Z', '2026-01-05T06:00:21Z']) asked += await output(() => which(MODEL, { address, at }));
      },
    });
    expect(asked.replace(/ on [^:]+:[^:]+:[^:]+:/g, ':').split('\n')).toEqual([
      `${MODEL}: at 2026-01-05T06:00:10Z the package beside the plant file is in production.`,
      `${MODEL}: at 2026-01-05T06:00:11Z 2.0.0 is in production, since 2026-01-05T06:00:10.000Z, approved by Ada: approved`,
      `${MODEL}: at 2026-01-05T06:00:21Z the package beside the plant file is in production, since 2026-01-05T06:00:20.000Z, rolled back by Bea: no.`,
      '',
    ]);
  });
});
