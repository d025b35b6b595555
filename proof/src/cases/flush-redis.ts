import { Redis } from 'ioredis';
import type { Case } from '../case.js';
import { underChaos } from '../chaos.js';
import type { Disturbance } from '../disturbance.js';
import { ALL_SERVICES, killing } from '../killing.js';
import { goesOn } from '../goes-on.js';
import { part } from '../run.js';

const EVERY_MS = 2_000;

/** Whoever takes a partition over finds no checkpoint, or an old one's remains, and rebuilds its state from the log. */
export const flushRedis: Case = {
  name: 'flush-redis',
  claim: 'Redis emptied every 2 s while services are killed loses, doubles and changes nothing',
  run: (stage) => underChaos(stage, { seconds: part(stage), disturb: flushing }),
};

const flushing: Disturbance = async (scene) => {
  const redis = new Redis(scene.line.redis.url);
  try {
    const killings = killing(ALL_SERVICES)(scene);
    let flushed = 0;
    while (await goesOn(EVERY_MS, scene.end)) {
      await redis.flushall();
      flushed++;
    }
    return flushed + (await killings);
  } finally {
    redis.disconnect();
  }
};
