export { MissingServerError } from './commands.js';
export { findOrStart, type FindOrStartOptions, type Servers } from './find-or-start.js';
export { startKafka, type KafkaOptions, type KafkaServer } from './kafka.js';
export { startRedis, type RedisOptions, type RedisServer } from './redis.js';
