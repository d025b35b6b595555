import { startKafka, type KafkaOptions } from './kafka.js';
import { startRedis, type RedisOptions } from './redis.js';

/** A Kafka and a Redis to work with. */
export interface Servers {
  readonly brokers: readonly string[];
  readonly redisUrl: string;
  /** One line on each: where it is, and whether it was found or started. */
  readonly summary: readonly string[];
  /** Ends what was started here; leaves alone what was found. */
  stop(): Promise<void>;
}

export interface FindOrStartOptions {
  readonly kafka?: KafkaOptions;
  readonly redis?: RedisOptions;
}

/**
 * The Kafka and the Redis that KAFKA_BROKERS (host:port, comma-separated) and REDIS_URL name; what they do not name is started on this machine.
 * @throws MissingServerError, one sentence with the remedy, when this machine cannot run one of them.
 */
export async function findOrStart(options: FindOrStartOptions = {}): Promise<Servers> {
  const named = process.env['KAFKA_BROKERS']?.split(',').map((each) => each.trim()).filter((each) => each !== '');
  const namedUrl = process.env['REDIS_URL'];
  const [kafka, redis] = await Promise.allSettled([
    named?.length ? undefined : startKafka(options.kafka),
    namedUrl ? undefined : startRedis(options.redis),
  ]);
  const stop = async (): Promise<void> => {
    await Promise.all([kafka, redis].map((each) => (each.status === 'fulfilled' ? each.value?.stop() : undefined)));
  };
  if (kafka.status === 'rejected' || redis.status === 'rejected') {
    await stop();
    throw kafka.status === 'rejected' ? kafka.reason : (redis as PromiseRejectedResult).reason;
  }
  const brokers = kafka.value?.brokers ?? named!;
  const redisUrl = redis.value?.url ?? namedUrl!;
  return {
    brokers,
    redisUrl,
    summary: [
      `Kafka at ${brokers.join(',')} (${kafka.value ? `started, process ${kafka.value.pid}, log ${kafka.value.logFile}` : 'named by KAFKA_BROKERS'})`,
      `Redis at ${redisUrl} (${redis.value ? `started, process ${redis.value.pid}, log ${redis.value.logFile}` : 'named by REDIS_URL'})`,
    ],
    stop,
  };
}
