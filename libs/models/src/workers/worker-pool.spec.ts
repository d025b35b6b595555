import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { MortalJob } from '../testing/mortal-worker.js';
import { temporaryFolder } from '../testing/packages.js';
import { WorkerPool } from './worker-pool.js';

const deaths: { reason: string; jobs: number }[] = [];
async function start(size: number): Promise<WorkerPool<MortalJob, number>> {
  deaths.length = 0;
  const { pool, detail } = await WorkerPool.start<MortalJob, number>({
    script: new URL('../testing/mortal-worker.js', import.meta.url),
    workerData: undefined,
    size,
    attempts: 3,
    onDeath: (reason, jobs) => deaths.push({ reason, jobs }),
  });
  expect(detail).toBe('mortal');
  return pool;
}

const give = (pool: WorkerPool<MortalJob, number>, job: MortalJob): Promise<number> => pool.run(() => job);

describe('worker pool', () => {
  it('gives the jobs of a worker that died to another', async () => {
    const pool = await start(2);
    const witness = join(await temporaryFolder(), 'died');
    const jobs = Array.from({ length: 10 }, (_, i) => give(pool, i === 3 ? { answer: i, die: 'once', witness } : { answer: i }));
    expect(await Promise.all(jobs)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(deaths).toHaveLength(1);
    expect(deaths[0]!.reason).toBe('exit code 3');
    await pool.close();
  });

  it('gives up a job that kills every worker after three of them, and answers all others', async () => {
    const pool = await start(1);
    const jobs = Array.from({ length: 6 }, (_, i) => give(pool, i === 2 ? { answer: i, die: 'always' } : { answer: i }));
    const results = await Promise.allSettled(jobs);
    expect(results.map((result) => (result.status === 'fulfilled' ? result.value : 'given up'))).toEqual([0, 1, 'given up', 3, 4, 5]);
    await expect(jobs[2]).rejects.toThrow('gave up after 3 attempts: the worker died (exit code 3)');
    expect(deaths).toHaveLength(3);
    expect(await give(pool, { answer: 7 })).toBe(7);
    await pool.close();
  });

  it('replaces its workers while they have jobs, and answers all', async () => {
    const pool = await start(2);
    const before = Array.from({ length: 20 }, (_, i) => give(pool, { answer: i }));
    const replaced = pool.replace(undefined);
    const meanwhile = Array.from({ length: 20 }, (_, i) => give(pool, { answer: 20 + i }));
    await replaced;
    expect(await Promise.all([...before, ...meanwhile, give(pool, { answer: 40 })])).toEqual(Array.from({ length: 41 }, (_, i) => i));
    expect(deaths).toEqual([]);
    await pool.close();
  });

  it('closes while workers are being replaced', async () => {
    const pool = await start(2);
    const replaced = pool.replace(undefined).catch((error: unknown) => (error as Error).message);
    await pool.close();
    expect([undefined, 'the inference engine is closed']).toContain(await replaced);
  });
});
