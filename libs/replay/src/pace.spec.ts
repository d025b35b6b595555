import { describe, expect, it } from '@jest/globals';
import { pace, type Clock, type Source, type SourceStep } from './index.js';

/** Time that passes only by sleeping, or when the test says so. */
class FakeClock implements Clock {
  ms = 1000;
  now = (): number => this.ms;
  sleep = (ms: number): Promise<void> => {
    this.ms += ms;
    return Promise.resolve();
  };
}

function sourceOf(times: readonly number[]): Source {
  let i = 0;
  return {
    name: 'test',
    next: () => Promise.resolve(i < times.length ? { blocks: [], production: [], advanceToUs: times[i]! * 1e6, row: ++i } : undefined),
    close: () => Promise.resolve(),
  };
}

async function arrivals(times: readonly number[], speed: number | 'max', clock: FakeClock, each: (step: SourceStep) => void = () => undefined): Promise<number[]> {
  const at: number[] = [];
  for await (const step of pace(sourceOf(times), speed, { clock })) {
    at.push(clock.now());
    each(step);
  }
  return at;
}

describe('pace', () => {
  it('gives each step at its event time, from the first on', async () => {
    expect(await arrivals([50, 51, 51, 53.5], 1, new FakeClock())).toEqual([1000, 2000, 2000, 4500]);
  });

  it('divides by the speed', async () => {
    expect(await arrivals([50, 51, 53.5], 10, new FakeClock())).toEqual([1000, 1100, 1350]);
  });

  it('catches up after a delay instead of adding it to every step', async () => {
    const clock = new FakeClock();
    const slowSecond = (step: SourceStep): void => {
      if (step.row === 2) clock.ms += 2500;
    };
    expect(await arrivals([0, 1, 2, 3, 4, 5], 1, clock, slowSecond)).toEqual([1000, 2000, 4500, 4500, 5000, 6000]);
  });

  it('does not wait at speed max', async () => {
    expect(await arrivals([0, 3600, 7200], 'max', new FakeClock())).toEqual([1000, 1000, 1000]);
  });

  it('ends when the signal aborts, also out of a wait', async () => {
    const controller = new AbortController();
    const rows: (number | undefined)[] = [];
    for await (const { row } of pace(sourceOf([0, 1e6]), 1, { signal: controller.signal })) {
      rows.push(row);
      setImmediate(() => { controller.abort(); });
    }
    expect(rows).toEqual([1]);
  });
});
