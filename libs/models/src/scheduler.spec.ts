import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Random } from '@millwright/learning';
import fc from 'fast-check';
import { NotLoadedError, type InferenceEngine } from './engine.js';
import { startOnnxEngine } from './onnx/engine.js';
import type { ModelPackage } from './package.js';
import { DeadlineError, InferenceScheduler, QueueFullError, type SubmitOptions } from './scheduler.js';
import { silentLogger, toyPackage } from './testing/packages.js';

const ALARM: SubmitOptions = { priority: 'alarm', whenFull: 'wait' };
const ANALYTICS: SubmitOptions = { priority: 'analytics', whenFull: 'wait' };

let model: ModelPackage;
let engine: InferenceEngine;
let rows: Float32Array;

beforeAll(async () => {
  model = await toyPackage([12, 16, 4]);
  engine = await startOnnxEngine({ packages: [model], workers: 2, logger: silentLogger });
  const random = new Random(5);
  rows = Float32Array.from({ length: 200 * model.width }, () => 10 * random.normal());
});
afterAll(() => engine.close());

const row = (i: number, count = 1): Float32Array => rows.subarray(i * model.width, (i + count) * model.width);

/** The engine with its batches under the test's control: what each held, and when it runs. */
function gated(): { engine: InferenceEngine; batches: Float32Array[]; release: () => void; open: () => void } {
  const batches: Float32Array[] = [];
  const waiting: (() => void)[] = [];
  let closed = true;
  return {
    batches,
    release: () => waiting.shift()!(),
    open: () => {
      closed = false;
      for (const resume of waiting.splice(0)) resume();
    },
    engine: {
      ...{ name: engine.name, device: engine.device, packages: engine.packages, workers: 1, close: () => engine.close(), load: (which) => engine.load(which), unload: (which) => engine.unload(which) },
      mostBatches: () => 1,
      run: async (which, count, fill) => {
        const input = new Float32Array(count * 32 * which.width);
        fill(input);
        batches.push(input);
        if (closed) await new Promise<void>((resolve) => waiting.push(resolve));
        return engine.run(which, count, fill);
      },
    },
  };
}

/** Rows of a batch, as indices into `rows`. */
const indices = (batch: Float32Array): number[] =>
  Array.from({ length: 32 }, (_, i) => batch[i * model.width]!)
    .filter((first) => first !== 0)
    .map((first) => Array.from({ length: 200 }, (_, i) => rows[i * model.width]!).indexOf(first));

const turns = async (): Promise<void> => {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
};

/** Waits until the gate has held so many batches. */
const held = async ({ batches }: { batches: readonly unknown[] }, count: number): Promise<void> => {
  while (batches.length < count) await turns();
};

describe('inference scheduler', () => {
  it('answers every row the same to the bit, however rows were grouped and placed', async () => {
    const alone: Float32Array[][] = [];
    const scheduler = new InferenceScheduler(engine);
    for (let i = 0; i < 200; i++) alone.push([...(await scheduler.submit(model, row(i), ALARM))]);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.integer({ min: 0, max: 150 }), fc.integer({ min: 1, max: 50 }), fc.boolean()), { minLength: 1, maxLength: 40 }), async (groups) => {
        const answers = await Promise.all(groups.map(([from, count, urgent]) => scheduler.submit(model, row(from, count), urgent ? ALARM : ANALYTICS)));
        groups.forEach(([from, count], g) => {
          for (let i = 0; i < count; i++) {
            model.outputs.forEach(({ width }, o) => expect(answers[g]![o]!.subarray(i * width, (i + 1) * width)).toEqual(alone[from + i]![o]));
          }
        });
      }),
      { numRuns: 25 },
    );
  });

  it('starts at once where a worker is idle, and gathers rows while all are busy', async () => {
    const gate = gated();
    const scheduler = new InferenceScheduler(gate.engine, { maxDelayMs: 60_000 });
    const answers = [scheduler.submit(model, row(0), ALARM)];
    await turns();
    expect(gate.batches.map(indices)).toEqual([[0]]);
    for (let i = 1; i < 20; i++) answers.push(scheduler.submit(model, row(i), ALARM));
    await turns();
    expect(gate.batches).toHaveLength(1);
    for (let i = 20; i < 40; i++) answers.push(scheduler.submit(model, row(i), ALARM));
    await turns();
    expect(indices(gate.batches[1]!)).toEqual(Array.from({ length: 32 }, (_, i) => i + 1));
    gate.release();
    gate.release();
    await held(gate, 3);
    expect(indices(gate.batches[2]!)).toEqual([33, 34, 35, 36, 37, 38, 39]);
    gate.release();
    expect(await Promise.all(answers)).toHaveLength(40);
  });

  it('does not let rows wait longer than the delay while a worker has room', async () => {
    const gate = gated();
    const scheduler = new InferenceScheduler(gate.engine, { maxDelayMs: 1 });
    const first = scheduler.submit(model, row(0), ALARM);
    await turns();
    const second = scheduler.submit(model, row(1), ALARM);
    await held(gate, 2);
    gate.release();
    gate.release();
    await Promise.all([first, second]);
  });

  it('has callers wait for an idle worker until as many rows are there as have been coming, and alarms and micro-batches not', async () => {
    const gate = gated();
    gate.open();
    const scheduler = new InferenceScheduler(gate.engine, { maxGatherMs: 60_000 });
    const caller: SubmitOptions = { priority: 'analytics', whenFull: 'reject' };
    // A crowd of 32, until full batches are what is waited for.
    for (let i = 0; i < 400; i++) await Promise.all(Array.from({ length: 32 }, (_, r) => scheduler.submit(model, row(r), caller)));
    for (const pressing of [ALARM, ANALYTICS]) {
      const before = gate.batches.length;
      // With what presses they still are no full batch, which would start anyway.
      const few = Array.from({ length: 20 }, (_, r) => scheduler.submit(model, row(r), caller));
      await turns();
      expect(gate.batches).toHaveLength(before);
      await Promise.all([scheduler.submit(model, row(40), pressing), ...few]);
      expect(new Set(indices(gate.batches[before]!))).toEqual(new Set([40, ...Array.from({ length: 20 }, (_, r) => r)]));
    }
  });

  it('takes alarms before analytics, and fills what room they leave', async () => {
    const gate = gated();
    const scheduler = new InferenceScheduler(gate.engine, { maxDelayMs: 60_000 });
    const answers = [scheduler.submit(model, row(0, 64), ALARM)];
    await turns();
    expect(gate.batches).toHaveLength(2);
    answers.push(scheduler.submit(model, row(100, 40), ANALYTICS), scheduler.submit(model, row(70, 10), ALARM));
    gate.release();
    gate.release();
    await held(gate, 3);
    expect(indices(gate.batches[2]!)).toEqual([...Array.from({ length: 10 }, (_, i) => 70 + i), ...Array.from({ length: 22 }, (_, i) => 100 + i)]);
    gate.release();
    await held(gate, 4);
    expect(indices(gate.batches[3]!)).toEqual(Array.from({ length: 18 }, (_, i) => 122 + i));
    gate.release();
    await Promise.all(answers);
  });

  it('turns away what exceeds its capacity, but not those who bound themselves', async () => {
    const gate = gated();
    const scheduler = new InferenceScheduler(gate.engine, { capacity: 50, maxDelayMs: 60_000 });
    const answers = [scheduler.submit(model, row(0, 64), ALARM)];
    await turns();
    answers.push(scheduler.submit(model, row(0, 45), ANALYTICS));
    await expect(scheduler.submit(model, row(0, 6), { priority: 'alarm', whenFull: 'reject' })).rejects.toBeInstanceOf(QueueFullError);
    answers.push(scheduler.submit(model, row(0, 5), { priority: 'alarm', whenFull: 'reject' }), scheduler.submit(model, row(0, 30), ALARM));
    expect(scheduler.waiting).toBe(80);
    gate.open();
    await Promise.all(answers);
    expect(scheduler.waiting).toBe(0);
  });

  it('drops rows whose deadline has passed before they were run', async () => {
    const gate = gated();
    const scheduler = new InferenceScheduler(gate.engine, { maxDelayMs: 60_000 });
    const first = scheduler.submit(model, row(0, 64), ALARM);
    await turns();
    const late = scheduler.submit(model, row(70, 5), { ...ANALYTICS, deadlineMs: 0 });
    const inTime = scheduler.submit(model, row(80, 5), { ...ANALYTICS, deadlineMs: 3_600_000 });
    gate.release();
    gate.release();
    await expect(late).rejects.toBeInstanceOf(DeadlineError);
    await first;
    await held(gate, 3);
    expect(indices(gate.batches[2]!)).toEqual([80, 81, 82, 83, 84]);
    gate.release();
    await inTime;
  });

  it('drops rows that nobody wants any more', async () => {
    const gate = gated();
    const scheduler = new InferenceScheduler(gate.engine, { maxDelayMs: 60_000 });
    const first = scheduler.submit(model, row(0, 64), ALARM);
    await turns();
    const caller = new AbortController();
    const left = scheduler.submit(model, row(70, 5), { ...ANALYTICS, signal: caller.signal });
    const stays = scheduler.submit(model, row(80, 5), ANALYTICS);
    caller.abort(new Error('the caller has gone'));
    await expect(left).rejects.toThrow('the caller has gone');
    gate.open();
    await Promise.all([first, stays]);
    expect(gate.batches.slice(2).map(indices)).toEqual([[80, 81, 82, 83, 84]]);
    expect(scheduler.waiting).toBe(0);
  });

  it('lets rows that wait end before a package goes, and refuses more', async () => {
    const [staying, going] = [await toyPackage([12, 16, 4], 3), await toyPackage([12, 16, 4], 4)];
    const own = await startOnnxEngine({ packages: [staying, going], workers: 1, logger: silentLogger });
    const scheduler = new InferenceScheduler(own);
    const waiting = Array.from({ length: 50 }, (_, i) => scheduler.submit(going, row(i, 40), ANALYTICS));
    const gone = scheduler.unload(going);
    await expect(scheduler.submit(going, row(0), ALARM)).rejects.toBeInstanceOf(NotLoadedError);
    await gone;
    expect(own.packages).toEqual([staying]);
    for (const [outputs] of await Promise.all(waiting)) expect(outputs).toHaveLength(160);
    expect((await scheduler.submit(staying, row(0), ALARM))[0]).toHaveLength(4);
    await own.close();
  });
});
