import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startRedis, type RedisServer } from '@millwright/servers';
import { Redis } from 'ioredis';
import type { RuntimeLogger } from '../runtime.js';
import { CheckpointLostError, type CheckpointDelta, type StateStore } from '../state.js';
import { describeStateStore } from '../testing/index.js';
import { openRedisStore } from './redis-state-store.js';

const silent: RuntimeLogger = { info: () => undefined, warn: () => undefined, error: () => undefined };

describeStateStore('Redis', () => {
  const store = openRedisStore({ url: process.env['REDIS_URL']!, logger: silent });
  return Promise.resolve({ store, close: () => store.close() });
});

function delta(version: number, changed: Record<string, Uint8Array>): CheckpointDelta {
  return { stateVersion: 1, version, offsets: { a: version }, system: new Uint8Array(3), changed: new Map(Object.entries(changed)), deleted: [] };
}

const bytes = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill);

describe('a Redis of its own', () => {
  let server: RedisServer;
  let store: StateStore;
  beforeAll(async () => {
    server = await startRedis();
    store = openRedisStore({ url: server.url, logger: silent });
  });
  afterAll(async () => {
    await store.close();
    await server.stop();
  });

  const flush = async (): Promise<void> => {
    const redis = new Redis(server.url);
    await redis.flushall();
    await redis.quit();
  };

  it('takes and gives back a state of many megabytes in parts, whole or not at all', async () => {
    const large = Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`asset-${i}`, bytes(10_000, i % 251)]));
    expect(await store.save('large/0', delta(5, large), true)).toBe(true);
    expect(await store.save('large/0', delta(4, Object.fromEntries(Object.keys(large).map((key) => [key, bytes(10_000, 255)]))), true)).toBe(false);
    const loaded = await store.load('large/0');
    expect(loaded?.entries.size).toBe(3_000);
    for (const [key, value] of loaded?.entries ?? []) expect(Buffer.compare(value, large[key]!)).toBe(0);
    // Parts that went ahead of a refused save are gone.
    const redis = new Redis(server.url);
    expect((await redis.keys('*')).sort()).toEqual(['millwright:{large/0}:checkpoint', 'millwright:{large/0}:entries']);
    await redis.quit();
  });

  it('refuses changes to a checkpoint that it has lost, until it gets all of the state', async () => {
    await store.save('lost/0', delta(1, { a: bytes(1, 1), b: bytes(1, 1) }), true);
    await flush();
    await expect(store.save('lost/0', delta(2, { a: bytes(1, 2) }), false)).rejects.toThrow(CheckpointLostError);
    expect(await store.load('lost/0')).toBeUndefined();
    expect(await store.save('lost/0', delta(2, { a: bytes(1, 2), b: bytes(1, 1) }), true)).toBe(true);
    expect(await store.save('lost/0', delta(3, { a: bytes(1, 3) }), false)).toBe(true);
    expect((await store.load('lost/0'))?.entries.size).toBe(2);
  });

  it('says that it is away, and works again when it is back', async () => {
    await store.save('away/0', delta(1, { a: bytes(1, 1) }), true);
    await server.kill('SIGKILL');
    expect(await store.healthy()).toBe(false);
    await expect(store.save('away/0', delta(2, { a: bytes(1, 2) }), false)).rejects.toThrow();
    await expect(store.load('away/0')).rejects.toThrow(`Redis at ${server.url} does not answer: start it, or correct REDIS_URL.`);
    await server.restart();
    // The client tries again now and then; how soon it gets through is not what is tested.
    while (!(await store.healthy())) await turn();
    expect((await store.load('away/0'))?.checkpoint.version).toBe(1);
    expect(await store.save('away/0', delta(2, { a: bytes(1, 2) }), false)).toBe(true);
    expect(await store.healthy()).toBe(true);
  });
});
