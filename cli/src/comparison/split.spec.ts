import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { prepare } from './prepare.js';
import type { LabelledRuns, Run, SplitKind } from './runs.js';

const run = (index: number, asset: string, steps: number, fault: number, part?: Run['part']): Run => ({
  name: `r${index}`,
  asset,
  steps,
  // Each value says where it comes from.
  values: Float32Array.from({ length: steps }, (_, step) => index * 1000 + step),
  truths: Float64Array.from({ length: steps }, (_, step) => (step < steps / 2 ? 0 : fault)),
  ...(part === undefined ? {} : { part }),
});

const source = (runs: readonly Run[]): LabelledRuns => ({
  name: 'toy', description: '', kinds: ['pump'], features: ['a.mean'], labels: ['normal', 'x', 'y'], normal: 'normal', quantity: '', unit: '', runs, sha256: '', defaults: { history: 4, split: 'run' },
});

const prepared = (runs: readonly Run[], split: SplitKind, history: number, seed = 1) => prepare(source(runs), { task: 'diagnosis', split, history, seed, command: '' });

/** Parts of the rows that windows hold, by value. */
function partsSeen({ windows, parts }: ReturnType<typeof prepared>): Map<number, Set<number>> {
  const seen = new Map<number, Set<number>>();
  windows.values.forEach((value, i) => seen.set(value, (seen.get(value) ?? new Set()).add(parts[Math.floor(i / windows.history)]!)));
  return seen;
}

describe('windows of a split', () => {
  it('never share a row with a window of another part, and lie within one run without a gap', () => {
    fc.assert(
      fc.property(fc.constantFrom<SplitKind>('run', 'asset', 'time'), fc.integer({ min: 1, max: 6 }), fc.integer({ min: 40, max: 80 }), fc.nat(100), (split, history, steps, seed) => {
        const data = prepared(Array.from({ length: 9 }, (_, i) => run(i, `P${i}`, steps, i % 3)), split, history, seed);
        for (const parts of partsSeen(data).values()) expect(parts.size).toBe(1);
        for (let row = 0; row < data.windows.rows; row++) {
          const values = [...data.windows.values.subarray(row * history, (row + 1) * history)];
          expect(values).toEqual(values.map((_, i) => values[0]! + i));
        }
        expect(new Set(data.parts)).toEqual(new Set([0, 1, 2]));
        expect(data.windows.rows + data.dropped).toBe(9 * steps);
      }),
    );
  });

  it('have every label in every part, and no asset in two where assets are divided', () => {
    const data = prepared(Array.from({ length: 18 }, (_, i) => run(i, `P${i >> 1}`, 20, 1 + ((i >> 1) % 2))), 'asset', 3);
    const partsOf = new Map<string, Set<number>>();
    const labels = new Map<number, Set<number>>();
    data.parts.forEach((part, row) => {
      const { asset } = data.source.runs[data.runs[row]!]!;
      partsOf.set(asset, (partsOf.get(asset) ?? new Set()).add(part));
      labels.set(part, (labels.get(part) ?? new Set()).add(data.truths[row]!));
    });
    for (const parts of partsOf.values()) expect(parts.size).toBe(1);
    for (const found of labels.values()) expect(found).toEqual(new Set([0, 1, 2]));
  });

  it('keep the test part that the data names', () => {
    const data = prepared([run(0, 'a', 20, 1), run(1, 'b', 20, 1), run(2, 'c', 20, 1), run(3, 'd', 20, 1, 'test')], 'run', 2);
    data.parts.forEach((part, row) => expect(part === 2).toBe(data.runs[row] === 3));
  });

  it('are refused where a label has too few runs, with what to do', () => {
    expect(() => prepared([run(0, 'a', 20, 1), run(1, 'b', 20, 1)], 'run', 2)).toThrow('Label x has 2 runs, too few for a split by run: add data of 1 more, or divide each run with --split time.');
  });
});
