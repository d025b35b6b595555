import type { Case } from '../case.js';
import { flushRedis } from './flush-redis.js';
import { killAll } from './kill-all.js';
import { killKafka } from './kill-kafka.js';
import { killRedis } from './kill-redis.js';
import { killServices } from './kill-services.js';
import { rebalance } from './rebalance.js';
import { replay } from './replay.js';
import { slowConsumer } from './slow-consumer.js';
import { soak } from './soak.js';

/** All cases, in the order in which they run. */
export const CASES: readonly Case[] = [killServices, killKafka, killRedis, flushRedis, killAll, rebalance, slowConsumer, replay];

/** Runs for hours, when it is asked for. */
export const SOAK = soak;
