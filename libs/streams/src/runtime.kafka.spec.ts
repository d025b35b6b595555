import { openKafkaLog } from './kafka/kafka-log.js';
import { openRedisStore } from './redis/redis-state-store.js';
import type { RuntimeLogger } from './runtime.js';
import { describeRuntime } from './testing/index.js';

const logger: RuntimeLogger = { info: () => undefined, warn: () => undefined, error: () => undefined };

describeRuntime('Kafka and Redis', () => {
  const log = openKafkaLog({ brokers: process.env['KAFKA_BROKERS']!.split(','), clientId: 'test', logger });
  const store = openRedisStore({ url: process.env['REDIS_URL']!, logger });
  return Promise.resolve({
    log,
    store,
    close: async () => {
      await log.close();
      await store.close();
    },
  });
});
