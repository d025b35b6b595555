export { cacheFolder } from './cache.js';
export { Child, type ChildOptions } from './child.js';
export { findCommand, MissingServerError } from './commands.js';
export { findOrStart, type FindOrStartOptions, type Servers } from './find-or-start.js';
export { freePorts } from './ports.js';
export { startKafka, type KafkaOptions, type KafkaServer } from './kafka.js';
export { startRedis, type RedisOptions, type RedisServer } from './redis.js';
