import { Redis } from 'ioredis';
import { readTls } from '../tls.js';
import type { RedisOptions } from './redis-state-store.js';

/** What a Redis says of itself. */
export interface RedisServer {
  /** Its maxmemory-policy, where that may drop keys that were to be kept. */
  readonly evicts?: string;
  /** Its clock, milliseconds since the epoch. */
  readonly timeMs: number;
}

const CONNECT_MS = 3_000;

/** @throws Error when it does not answer, or refuses the user */
export async function redisServer({ url, tls }: Pick<RedisOptions, 'url' | 'tls'>): Promise<RedisServer> {
  const redis = new Redis(url, { lazyConnect: true, connectTimeout: CONNECT_MS, maxRetriesPerRequest: 0, retryStrategy: () => null, ...(tls && { tls: readTls(tls) }) });
  let cause: Error | undefined;
  redis.on('error', (error: Error) => (cause = error));
  try {
    await redis.connect();
    const policy = /maxmemory_policy:(\S+)/.exec(await redis.info('memory'))?.[1];
    const [seconds, micros] = (await redis.time()) as [number | string, number | string];
    return { ...(policy === undefined || policy === 'noeviction' ? {} : { evicts: policy }), timeMs: Number(seconds) * 1_000 + Number(micros) / 1_000 };
  } catch (error) {
    throw cause ?? error;
  } finally {
    redis.disconnect();
  }
}
