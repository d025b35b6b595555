import { globSync } from 'node:fs';

/** Specs that need a real Kafka and Redis say so in their names. */
const NEEDS_SERVERS = '{libs,services,cli}/**/dist/**/*.{kafka,redis}.spec.js';

/** One Kafka and one Redis for the whole run, when a selected spec needs them; specs find them in KAFKA_BROKERS and REDIS_URL. */
export default async function setUp({ rootDir, testPathPatterns }) {
  const selected = testPathPatterns.toExecutor({ rootDir });
  const needed = globSync(NEEDS_SERVERS, { cwd: rootDir, exclude: ['**/node_modules/**'] }).some((path) => selected.isMatch(`${rootDir}/${path}`));
  if (!needed) return;
  const { findOrStart } = await import('@millwright/servers');
  const servers = await findOrStart();
  globalThis.millwrightServers = servers;
  process.env.KAFKA_BROKERS = servers.brokers.join(',');
  process.env.REDIS_URL = servers.redisUrl;
}
