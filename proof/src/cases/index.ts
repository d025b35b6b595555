import type { Case } from '../case.js';
import { backpressure } from './backpressure.js';
import { clock } from './clock.js';
import { diskFull } from './disk-full.js';
import { flushRedis } from './flush-redis.js';
import { fuzz } from './fuzz.js';
import { gateway } from './gateway.js';
import { killAll } from './kill-all.js';
import { killKafka } from './kill-kafka.js';
import { killRedis } from './kill-redis.js';
import { killServices } from './kill-services.js';
import { late } from './late.js';
import { network } from './network.js';
import { poison } from './poison.js';
import { rebalance } from './rebalance.js';
import { replay } from './replay.js';
import { slowConsumer } from './slow-consumer.js';
import { soak } from './soak.js';
import { upgrade } from './upgrade.js';

/** All cases, in the order in which they run. */
export const CASES: readonly Case[] = [
  killServices, killKafka, killRedis, flushRedis, killAll, rebalance, slowConsumer, replay,
  network, backpressure, clock, diskFull, poison, late, upgrade, gateway, fuzz,
];

/** Runs for hours, when it is asked for. */
export const SOAK = soak;
