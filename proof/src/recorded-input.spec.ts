import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ProductionRecord, TelemetryBlock } from '@millwright/contracts';
import { recordedInput, type RecordedInput } from './recorded-input.js';

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'millwright-input-'))));
afterAll(() => rmSync(folder, { recursive: true }));

const STEPS = 5;

function digest(input: RecordedInput): string {
  const hash = createHash('sha256');
  for (const { blocks, production, advanceToUs } of input.steps(STEPS)) {
    for (const block of blocks) hash.update(TelemetryBlock.encode(block).finish());
    for (const record of production) hash.update(ProductionRecord.encode(record).finish());
    hash.update(`${advanceToUs}`);
  }
  return hash.digest('hex');
}

describe('recorded input', () => {
  it('is the same byte for byte for the same seed, wherever and however often it is made, and another for another seed', () => {
    const input = recordedInput(join(folder, 'a'), 7);
    const digests = [digest(input), digest(input), digest(recordedInput(join(folder, 'b'), 7))];
    expect(new Set(digests).size).toBe(1);
    expect(digest(recordedInput(join(folder, 'c'), 8))).not.toBe(digests[0]);
  });

  it('sends every asset and both kinds of data, counted from 1 without gaps, and ends after all of it', () => {
    const input = recordedInput(join(folder, 'd'), 1);
    const numbers = new Map<string, number>();
    let lastUs = 0;
    for (const { blocks, production, advanceToUs } of input.steps(STEPS)) {
      for (const [kind, records] of Object.entries({ blocks, production })) {
        for (const { source, asset, sequence } of records) {
          expect(source).toBe(input.source);
          expect(sequence).toBe((numbers.get(`${kind} ${asset}`) ?? 0) + 1);
          numbers.set(`${kind} ${asset}`, sequence);
        }
      }
      expect(advanceToUs).toBeGreaterThan(lastUs);
      lastUs = advanceToUs;
    }
    expect([...numbers.keys()].filter((id) => id.startsWith('blocks')).length).toBe(12);
    expect([...numbers.keys()].filter((id) => id.startsWith('production')).length).toBe(3);
    const { blocks, production, advanceToUs } = input.epilogue(STEPS);
    expect([blocks.length, production.length]).toEqual([0, 0]);
    expect(advanceToUs).toBeGreaterThan(lastUs);
  });
});
