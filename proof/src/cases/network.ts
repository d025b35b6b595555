import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { SourceStep } from '@millwright/contracts';
import { loadPlant } from '@millwright/plant';
import { createLogger } from '@millwright/observability';
import { openKafkaLog, openRedisStore } from '@millwright/streams';
import { startRedis } from '@millwright/servers';
import type { Case, Stage, Verdict } from '../case.js';
import { InProcessLine, judge, RESULTS, undisturbed } from '../in-process.js';
import { startKafkaBehind } from '../kafka.js';
import { Proxy } from '../proxy.js';
import { randomOf } from '../random.js';
import { recordedInput, STEP_S } from '../recorded-input.js';

const STEP_MS = 150;
/** Seconds from the end of a disturbance to the next output, at most: as after a kill of the broker. */
const BOUND_S = 15;
/** Between two disturbances. */
const REST_MS = 2_000;

/** What a bad network does to the way to Kafka and to Redis. */
interface Disturbance {
  readonly what: string;
  readonly seconds: number;
  begin(kafka: Proxy, redis: Proxy, random: () => number): void;
  /** Every 100 ms. */
  goOn?(kafka: Proxy, redis: Proxy, random: () => number): void;
}

const index = (random: () => number): number => Math.floor(random() * 1_000);

const DISTURBANCES: readonly Disturbance[] = [
  {
    what: 'delay of 50 ms each way',
    seconds: 5,
    begin(kafka, redis) {
      kafka.delayMs = redis.delayMs = 50;
    },
  },
  {
    what: 'loss: connections are cut at random',
    seconds: 5,
    begin: () => undefined,
    goOn(kafka, redis, random) {
      if (random() < 0.3) kafka.cutOne(index(random));
      if (random() < 0.1) redis.cutOne(index(random));
    },
  },
  {
    what: 'nothing passes, either way',
    seconds: 6,
    begin(kafka, redis) {
      for (const each of [kafka, redis]) each.hold('there', 'back');
    },
  },
  { what: 'Kafka hears, and is not heard', seconds: 4, begin: (kafka) => kafka.hold('back') },
  {
    what: 'Kafka is not heard, and all connections are cut',
    seconds: 4,
    begin: (kafka) => kafka.hold('back'),
    goOn(kafka, _, random) {
      if (random() < 0.05) kafka.cut();
    },
  },
  { what: 'Kafka hears nothing', seconds: 4, begin: (kafka) => kafka.hold('there') },
  { what: 'Kafka cannot be reached', seconds: 5, begin: (kafka) => isolate(kafka) },
  { what: 'Redis cannot be reached', seconds: 5, begin: (_, redis) => isolate(redis) },
  {
    what: 'some connections are dead while others work',
    seconds: 12,
    begin(kafka, _, random) {
      for (let i = 0; i < 4; i++) kafka.holdOne(index(random));
    },
  },
];

function isolate(proxy: Proxy): void {
  proxy.refuse(true);
  proxy.cut();
}

export const network: Case = {
  name: 'network',
  claim: 'Delay, loss and partition between the services and Kafka or Redis lose, double and change nothing; output goes on within 15 s of their end.',
  async run(stage: Stage): Promise<Verdict> {
    const random = randomOf(stage.seed);
    const disturbingS = DISTURBANCES.reduce((sum, { seconds }) => sum + seconds + 2 * (REST_MS / 1000), 0);
    const rounds = Math.max(1, Math.floor(stage.seconds / 2 / disturbingS));
    const count = Math.ceil((rounds * disturbingS * 1000) / STEP_MS);
    const input = recordedInput(join(stage.folder, 'plant'), stage.seed);
    const plant = loadPlant(input.plantPath);
    stage.progress(`undisturbed run of ${count * STEP_S} s of event time`);
    const expected = await undisturbed({ plant, on: ':memory:' }, [...input.steps(count), input.epilogue(count)], join(stage.folder, 'expected'));

    const kafka = await startKafkaBehind();
    const redis = await startRedis();
    const redisProxy = await Proxy.open(Number(new URL(redis.url).port));
    const logger = createLogger({ service: 'proof', level: 'silent' });
    const log = openKafkaLog({ brokers: [`127.0.0.1:${kafka.proxy.port}`], clientId: 'proof', logger });
    const store = openRedisStore({ url: `redis://127.0.0.1:${redisProxy.port}`, logger });
    const direct = openKafkaLog({ brokers: [...kafka.server.brokers], clientId: 'proof-reader', logger });
    const failures: string[] = [];
    let killed = 0;
    let worstS = 0;
    let line: InProcessLine | undefined;
    try {
      line = await InProcessLine.start({ plant, on: { log, store }, environment: { MILLWRIGHT_CHECKPOINT_MS: '1000' } });
      let putOutMs = 0;
      const tail = await direct.tail({ topics: RESULTS, from: 'latest', batch: () => void (putOutMs = performance.now()) });
      const end = new AbortController();
      const feeding = feed(line, input.steps(count));
      const disturbing = (async () => {
        for (let round = 0; round < rounds; round++) {
          for (const { what, seconds, begin, goOn } of DISTURBANCES) {
            if (end.signal.aborted) return;
            stage.progress(what);
            killed++;
            begin(kafka.proxy, redisProxy, random);
            for (let ms = 0; ms < seconds * 1000; ms += 100) {
              goOn?.(kafka.proxy, redisProxy, random);
              await pause(100);
            }
            for (const proxy of [kafka.proxy, redisProxy]) {
              proxy.delayMs = 0;
              proxy.refuse(false);
              proxy.release();
            }
            const endedMs = performance.now();
            while (putOutMs <= endedMs && performance.now() - endedMs < 60_000 && !end.signal.aborted) await pause(20);
            const recoveryS = (performance.now() - endedMs) / 1000;
            if (end.signal.aborted) return;
            worstS = Math.max(worstS, recoveryS);
            if (recoveryS > BOUND_S) failures.push(`${what}: ${recoveryS.toFixed(1)} s until the next output, at most ${BOUND_S} are allowed`);
            await pause(REST_MS);
          }
        }
      })();
      try {
        await feeding;
      } finally {
        // Both have to end before the line does.
        end.abort();
        await disturbing;
      }
      await line.give(input.epilogue(count));
      await line.drained();
      if (line.unaccounted > 0) failures.push(`${line.unaccounted} records are not accounted for by the ledger`);
      await tail.close();
      return judge(expected, await line.results(join(stage.folder, 'actual')), { killed, recovery_s: Math.round(worstS * 10) / 10, failures });
    } finally {
      await line?.close();
      await Promise.all([log.close(), store.close(), direct.close()]);
      await Promise.all([kafka.close(), redisProxy.close(), redis.stop()]);
    }
  },
};

/** Hands steps in one after the other, none before its time. */
async function feed(line: InProcessLine, steps: Iterable<SourceStep>): Promise<void> {
  let next = performance.now();
  for (const step of steps) {
    await line.give(step);
    next += STEP_MS;
    await pause(Math.max(0, next - performance.now()));
  }
}
