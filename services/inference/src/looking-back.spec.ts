import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { InferenceResult, UNKNOWN, type Diagnosis } from '@millwright/contracts';
import {
  exportWindowModel, fitMiniRocket, fitRidgePath, fitScaler, predictWindows, Random, scaleWindows, summarise, trainBoosting, transformMiniRocket,
  type Head, type Scaler, type WindowModel, type Windows,
} from '@millwright/learning';
import { writePackage } from '@millwright/models';
import type { Plant } from '@millwright/plant';
import { createInferenceProcessor } from './inference.processor.js';
import { startModels, type RunningModels } from './models.js';
import { contextOf, features, KIND, recordOf, vector } from './testing/fixtures.js';

const HISTORY = 12;
const LABELS = ['steady', 'swinging', 'rising'];
const FEATURES = ['speed.mean', 'heat.mean'];
/** Of the boosted trees, so that some windows are below it. */
const THRESHOLD = 0.75;
const HEAD: Head = { kind: 'probabilities', temperature: 0.5, classes: LABELS.length };

const random = new Random(4);
/** Speed and heat of a step that many steps after a change to another behaviour. */
const stepOf = (label: number, step: number): [speed: number, heat: number] => [
  Math.fround((label === 1 ? 2 * Math.sin(step) : 0) + 0.5 * random.normal()),
  Math.fround((label === 2 ? 0.2 * step : 0) + 0.5 * random.normal()),
];

function trainingWindows(rows: number): { windows: Windows; classes: Int32Array } {
  const classes = Int32Array.from({ length: rows }, (_, row) => row % LABELS.length);
  const values = new Float32Array([...classes].flatMap((label) => Array.from({ length: HISTORY }, (_, step) => stepOf(label, step)).flat()));
  return { windows: { features: FEATURES, history: HISTORY, values, rows }, classes };
}

interface Trained {
  readonly model: WindowModel;
  readonly scaler: Scaler;
}

/** A MiniRocket and boosted trees that tell how values move. */
function trained(): Record<'rocket' | 'gbdt', Trained> {
  const { windows, classes } = trainingWindows(300);
  const scaler = fitScaler(windows, 20);
  const scaled = scaleWindows(windows, scaler);
  const rocket = fitMiniRocket(scaled, windows.rows, HISTORY, FEATURES.length, { features: 420, seed: 1 });
  const targets = Float64Array.from({ length: windows.rows * LABELS.length }, (_, i) => (classes[Math.floor(i / LABELS.length)] === i % LABELS.length ? 1 : -1));
  const [linear] = fitRidgePath(transformMiniRocket(rocket, scaled, windows.rows), targets, [10]);
  const boosted = trainBoosting(summarise(scaled, windows.rows, HISTORY, FEATURES.length), classes, {
    objective: { kind: 'softmax', classes: LABELS.length }, rounds: 20, learningRate: 0.1, leaves: 6, leafRows: 5, l2: 1, rowShare: 0.8, columnShare: 0.5, bins: 64, seed: 1,
  });
  return { rocket: { scaler, model: { kind: 'rocket', rocket, linear: linear! } }, gbdt: { scaler, model: { kind: 'boosted', boosted } } };
}

const models = trained();
let folder: string;
let plant: Plant;
let running: RunningModels;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millwright-looking-back-'));
  for (const [name, { model, scaler }] of Object.entries(models)) {
    const { impute, mean, std, clip } = scaler;
    await writePackage(
      join(folder, 'models', name),
      {
        format: 'millwright-model/1', name, version: '1', description: '', task: 'diagnosis', kinds: ['pump'], labels: LABELS, normal: 'steady',
        input: { name: 'features', features: FEATURES, history: HISTORY }, batch: 32, outputs: { probabilities: 'probabilities' },
        preprocessing: { impute: [...impute], mean: [...mean], std: [...std], clip }, training: { data: '', dataSha256: '0'.repeat(64), command: '', metrics: {} },
        ...(name === 'gbdt' ? { unknown: { threshold: THRESHOLD } } : {}),
      },
      exportWindowModel({ scaler, history: HISTORY, batch: 32, model, head: HEAD }),
    );
  }
  const kind = { ...KIND, models: ['rocket', 'gbdt'] };
  plant = { name: 'toy', enterprise: '', directory: folder, assets: new Map([['P1', { id: 'P1', kind, site: '', area: '', line: '', description: '' }]]), kinds: new Map([[kind.name, kind]]) };
  running = await startModels(plant, { workers: 1, device: 'cpu' }, { info: () => undefined, warn: () => undefined });
});
afterAll(async () => {
  await running.close();
  await rm(folder, { recursive: true });
});

/** Windows of an hour of each behaviour, and what the processor says of each, by model and window. */
async function play(missing: ReadonlySet<number>): Promise<{ steps: (readonly [number, number])[]; said: Map<string, Diagnosis> }> {
  const processor = createInferenceProcessor(plant, running);
  const state = processor.initial('P1');
  const steps = Array.from({ length: 90 }, (_, k) => stepOf(Math.floor(k / 30), k % 30));
  const said = new Map<string, Diagnosis>();
  for (const [k, [speed, heat]] of steps.entries()) {
    if (missing.has(k)) continue;
    const record = recordOf(vector('P1', k, features({ 'speed.mean': speed, 'heat.mean': heat })), k);
    for (const { value } of await processor.onRecord(processor.decode(record), state, contextOf('P1'), record)) {
      const { model, windowStartUs, result } = InferenceResult.decode(value);
      if (result?.$case === 'diagnosis') said.set(`${model} ${windowStartUs / 10e6}`, result.value);
    }
  }
  return { steps, said };
}

describe('models that look back', () => {
  it('say of each window what their learner says of it and the windows before, once there are enough without a gap', async () => {
    const { steps, said } = await play(new Set([40]));
    const judged = (k: number): boolean => (k >= HISTORY - 1 && k < 40) || k >= 40 + HISTORY;
    for (const [name, { model, scaler }] of Object.entries(models)) {
      for (let k = 0; k < steps.length; k++) {
        const diagnosis = said.get(`${name} ${k}`);
        expect(diagnosis !== undefined).toBe(judged(k));
        if (diagnosis === undefined) continue;
        const values = Float32Array.from(steps.slice(k + 1 - HISTORY, k + 1).flat());
        const { probabilities } = predictWindows(model, HEAD, scaler, { features: FEATURES, history: HISTORY, values, rows: 1 });
        diagnosis.probabilities.forEach(({ probability }, i) => expect(Math.abs(probability - probabilities![i]!)).toBeLessThan(1e-4));
      }
    }
    const settled = [25, 55, 85].map((k) => said.get(`rocket ${k}`)?.label);
    expect(settled).toEqual(LABELS);
  });

  it('call unknown what no label of theirs is probable enough for, and normal with it where health is among the first two', async () => {
    const { said } = await play(new Set());
    const unsure: Diagnosis[] = [];
    for (const [which, diagnosis] of said) {
      const sorted = [...diagnosis.probabilities].sort((a, b) => b.probability - a.probability);
      const [first, second] = [sorted[0]!, sorted[1]!];
      if (which.startsWith('rocket') || first.probability >= THRESHOLD) expect([diagnosis.label, diagnosis.normal]).toEqual([first.label, first.label === 'steady']);
      else {
        unsure.push(diagnosis);
        const normal = first.label === 'steady' || second.label === 'steady';
        expect([diagnosis.label, diagnosis.normal]).toEqual([UNKNOWN, normal]);
        expect(diagnosis.confidence).toBeCloseTo(normal ? first.probability : 1 - diagnosis.probabilities[0]!.probability, 5);
      }
    }
    expect(unsure.length).toBeGreaterThan(0);
  });
});
