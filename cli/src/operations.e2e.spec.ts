import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { Alarm, AlarmState, ModelVersion, Stage, TOPICS } from '@millwright/contracts';
import { startKafka, startRedis, type KafkaServer, type RedisServer } from '@millwright/servers';
import { emptyCheckpoint, openKafkaLog, openRedisStore, partitionFor, taskName, type LogRecord, type RuntimeLogger } from '@millwright/streams';
import { millwright, temporaryFolder, type Ended } from './testing/command.js';

const silent: RuntimeLogger = { info: () => undefined, warn: () => undefined, error: () => undefined };
const PARTITIONS = 3;

interface Place {
  readonly kafka: KafkaServer;
  readonly redis: RedisServer;
}

const place = async (): Promise<Place> => {
  const [kafka, redis] = await Promise.all([startKafka(), startRedis()]);
  return { kafka, redis };
};
const away = ({ kafka, redis }: Place): Promise<unknown> => Promise.all([kafka.stop(), redis.stop()]);

describe('operations', () => {
  const folder = temporaryFolder();
  let old: Place;
  let fresh: Place;
  beforeAll(async () => {
    [old, fresh] = await Promise.all([place(), place()]);
  });
  afterAll(async () => {
    await Promise.all([away(old), away(fresh)]);
    folder.remove();
  });

  const at = ({ kafka, redis }: Place, ...args: string[]): Promise<Ended> =>
    millwright(args, { home: folder.path, env: { KAFKA_BROKERS: kafka.brokers.join(','), REDIS_URL: redis.url, MILLWRIGHT_PARTITIONS: `${PARTITIONS}` } }).ended;

  it('doctor says what is missing, and what to do', async () => {
    const { code, stdout } = await at(old, 'doctor', '--plant', 'demo', '--http', '127.0.0.1:1');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^ok {4}plant: demo, \d+ assets$/m);
    expect(stdout).toMatch(/^ok {4}model \S+: version \S+, whole$/m);
    expect(stdout).toMatch(/^ok {4}Kafka: 127\.0\.0\.1:\d+ answers$/m);
    expect(stdout).toMatch(/^WRONG topics: telemetry\.v1, .* do not exist: run millwright topics create\.$/m);
    expect(stdout).toMatch(/^ok {4}Redis: answers, and evicts nothing$/m);
    expect(stdout).toMatch(/^ok {4}clock of Redis: \d+ ms (behind|ahead of) this one$/m);
    expect(stdout).toMatch(/^WRONG service at 127\.0\.0\.1:1: it does not answer/m);
    expect(stdout).toMatch(/2 of \d+ are wrong\.\n$/);
  });

  it('topics create makes what is missing, once, and doctor is content', async () => {
    expect(await at(old, 'topics', 'create', '--replication-factor', '1')).toMatchObject({ code: 0, stdout: '22 topics of 3 partitions.\n' });
    expect((await at(old, 'topics', 'create')).code).toBe(0);
    const { code, stdout } = await at(old, 'doctor', '--plant', 'demo');
    expect(stdout).toMatch(/All is well\.\n$/);
    expect(code).toBe(0);
  });

  it('doctor says that nothing answers', async () => {
    const nowhere = { kafka: { brokers: ['127.0.0.1:1'] }, redis: { url: 'redis://127.0.0.1:1' } } as unknown as Place;
    const { code, stdout } = await at(nowhere, 'doctor', '--plant', 'demo');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^WRONG Kafka: 127\.0\.0\.1:1 does not answer without TLS and user: start it, or correct KAFKA_BROKERS/m);
    expect(stdout).toMatch(/^WRONG Redis: .*ECONNREFUSED.*: start it, or correct REDIS_URL\.$/m);
  });

  it('a backup holds how alarms stand and every change of a model, goes into new servers and into no others', async () => {
    const alarm = Alarm.fromPartial({ id: 'P-101/diagnosis/wear', asset: 'P-101', fault: 'wear', state: AlarmState.UNACKNOWLEDGED });
    const partition = partitionFor('P-101', PARTITIONS);
    // Changes of a model are in the partition of its name, in order, each under a key of its own.
    const place = partitionFor('life', PARTITIONS);
    const changes = [Stage.CANDIDATE, Stage.PRODUCTION].map((stage, i) => ModelVersion.fromPartial({ name: 'life', version: '2', stage, revision: i + 1, changedBy: 'Ada' }));
    const state = Buffer.from('{"judgedUs":[],"diagnoses":[],"findings":[],"early":[]}');
    await use(old, async (log, store) => {
      const headers = { schema: TOPICS.alarmStates.schema, source: `alerting/${partition}`, sequence: 1 };
      const record = { topic: TOPICS.alarmStates.name, partition, key: alarm.id, timeMs: 5, headers };
      await log.append([{ ...record, value: Uint8Array.of(1) }, { ...record, headers: { ...headers, sequence: 2 }, value: Alarm.encode(alarm).finish() }]);
      await log.append(changes.map((change, i) => ({
        topic: TOPICS.models.name, partition: place, key: `life/${i + 1}/x${i}`, timeMs: 5, headers: { schema: TOPICS.models.schema, source: `x${i}`, sequence: 1 }, value: ModelVersion.encode(change).finish(),
      })));
      await store.save(taskName('alerting', partition), { ...emptyCheckpoint(1), changed: new Map([['P-101', state]]), deleted: [] }, true);
    });
    const file = join(folder.path, 'line.backup');
    expect(await at(old, 'backup', '--out', file)).toMatchObject({ code: 0, stdout: `4 entries in ${file}.\n` });
    expect(await at(old, 'backup', '--out', file)).toMatchObject({ code: 2, stderr: expect.stringMatching(/can't be made .*: give the path of a file that does not exist yet/) });
    expect(await at(old, 'restore', '--from', file)).toMatchObject({ code: 2, stderr: expect.stringMatching(/alarm-states\.v1 has records already: a backup goes into new topics/) });

    await at(fresh, 'topics', 'create');
    expect(await at(fresh, 'restore', '--from', file)).toMatchObject({ code: 0, stdout: `4 entries restored from ${file}. The services can be started.\n` });
    await use(fresh, async (log, store) => {
      const found: LogRecord[] = [];
      const tail = await log.tail({ topics: [TOPICS.alarmStates.name], from: 'earliest', batch: ({ records }) => void found.push(...records) });
      await tail.caughtUp();
      await tail.close();
      expect(found.map(({ partition: p, key, value }) => [p, key, Alarm.decode(value)])).toEqual([[partition, alarm.id, alarm]]);
      const registry: LogRecord[] = [];
      const models = await log.tail({ topics: [TOPICS.models.name], from: 'earliest', batch: ({ records }) => void registry.push(...records) });
      await models.caughtUp();
      await models.close();
      expect(registry.map(({ partition: p, value }) => [p, ModelVersion.decode(value)])).toEqual(changes.map((change) => [place, change]));
      const loaded = await store.load(taskName('alerting', partition));
      expect(loaded?.checkpoint).toMatchObject({ stateVersion: 1, version: 0, offsets: {} });
      expect([...loaded!.entries].map(([key, value]) => [key, Buffer.from(value).toString()])).toEqual([['P-101', state.toString()]]);
    });
  });

  it('refuses what is no backup', async () => {
    expect(await at(fresh, 'restore', '--from', join(folder.path, 'none'))).toMatchObject({ code: 2, stderr: expect.stringMatching(/can't be read/) });
    expect(await at(fresh, 'restore', '--from', new URL(import.meta.url).pathname)).toMatchObject({ code: 2, stderr: expect.stringMatching(/line 1 is not of a backup of format millwright-backup\/1/) });
  });

  async function use({ kafka, redis }: Place, action: (log: ReturnType<typeof openKafkaLog>, store: ReturnType<typeof openRedisStore>) => Promise<void>): Promise<void> {
    const log = openKafkaLog({ brokers: kafka.brokers, clientId: 'test', logger: silent });
    const store = openRedisStore({ url: redis.url, logger: silent });
    try {
      await action(log, store);
    } finally {
      await store.close();
      await log.close();
    }
  }
});
