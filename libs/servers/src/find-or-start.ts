import { MissingServerError } from './commands.js';
import { startKafka, type KafkaOptions } from './kafka.js';
import { isListening } from './ports.js';
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
 * @throws MissingServerError, one sentence with the remedy, when this machine cannot run one of them or what they name does not answer.
 */
export async function findOrStart(options: FindOrStartOptions = {}): Promise<Servers> {
  const named = process.env['KAFKA_BROKERS']?.split(',').map((each) => each.trim()).filter((each) => each !== '');
  const namedUrl = process.env['REDIS_URL'];
  if (named?.length) await requireAnswer('KAFKA_BROKERS', named);
  if (namedUrl) await requireAnswer('REDIS_URL', [hostOf(namedUrl)]);
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

/** @throws MissingServerError when nothing listens at any of the addresses (host:port) that a variable names. */
async function requireAnswer(variable: string, addresses: readonly string[]): Promise<void> {
  const answers = await Promise.all(
    addresses.map((address) => {
      const [, host, port] = /^\[?(.+?)\]?:(\d{1,5})$/.exec(address) ?? [];
      return host !== undefined && Number(port) < 65_536 && isListening(Number(port), host);
    }),
  );
  if (answers.includes(true)) return;
  throw new MissingServerError(`${variable} names ${addresses.join(', ')}, where nothing answers: start it, correct ${variable}, or unset it to have a server started here.`);
}

/** Host and port of a Redis address; the address itself where it has none. */
function hostOf(redisUrl: string): string {
  const { host = redisUrl, port } = URL.parse(redisUrl) ?? {};
  return port === '' ? `${host}:6379` : host;
}
