import { describe, expect, it } from '@jest/globals';
import { ProductionRecord, TelemetryBlock, type Source, type SourceStep } from '@millwright/contracts';
import { fromNow } from './from-now.js';

const step = (startUs: number): SourceStep => ({
  blocks: [TelemetryBlock.fromPartial({ asset: 'P-1', startUs })],
  production: [ProductionRecord.fromPartial({ asset: 'P-1', timeUs: startUs + 500_000 })],
  advanceToUs: startUs + 1_000_000,
});

describe('fromNow', () => {
  it('moves all times by one span of whole seconds, so that the first is not before now', async () => {
    const steps = [step(3_250_000), step(4_250_000)];
    const source: Source = { name: 's', next: () => Promise.resolve(steps.shift()), close: () => Promise.resolve() };
    const moved = fromNow(source, 1_000_000_100);
    const times = async (): Promise<unknown> => {
      const at = await moved.next();
      return at && [at.blocks[0]!.startUs, at.production[0]!.timeUs, at.advanceToUs];
    };
    expect(await times()).toEqual([1_000_250_000, 1_000_750_000, 1_001_250_000]);
    expect(await times()).toEqual([1_001_250_000, 1_001_750_000, 1_002_250_000]);
    expect(await times()).toBeUndefined();
    expect(moved.name).toBe('s');
  });
});
