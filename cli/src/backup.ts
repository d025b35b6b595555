import { open, readFile } from 'node:fs/promises';
import { Alarm, ModelVersion, TOPICS } from '@millwright/contracts';
import { kafkaEnvironment, readEnvironment, redisEnvironment } from '@millwright/shell';
import { emptyCheckpoint, openKafkaLog, openRedisStore, partitionFor, taskName, WATERMARK_KEY, type EventLog, type NewRecord, type StateStore } from '@millwright/streams';
import { z } from 'zod';
import { standardErrorLogger } from './standard-error-logger.js';
import { UsageError } from './usage-error.js';

const FORMAT = 'millwright-backup/1';
/** What can't be derived again from a plant that goes on: how alarms stand, and which models were registered. */
const TABLES = [TOPICS.alarmStates, TOPICS.models];
const PROCESSOR = 'alerting';

const header = z.object({ format: z.literal(FORMAT), takenMs: z.number() });
const entry = z.union([
  z.object({ topic: z.enum(TABLES.map(({ name }) => name)), schema: z.string(), timeMs: z.number(), key: z.string(), value: z.base64() }),
  z.object({ processor: z.literal(PROCESSOR), stateVersion: z.number(), key: z.string(), value: z.base64() }),
]);
type Entry = z.output<typeof entry>;

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');

/**
 * `millwright backup`: one line for each alarm, model version and asset's alarm state. The line may run meanwhile: alarm states are those of the
 * last checkpoint of each partition, seconds old.
 */
export async function backup({ out }: { readonly out: string }): Promise<number> {
  return withServers(async (log, store) => {
    const file = await create(out);
    let count = 0;
    const write = async (line: object): Promise<void> => {
      await file.write(`${JSON.stringify(line)}\n`);
    };
    try {
      await write({ format: FORMAT, takenMs: Date.now() });
      for (const { topic, key, value, timeMs, schema } of await tables(log)) {
        await write({ topic, schema, timeMs, key, value: base64(value) });
        count++;
      }
      const partitions = await log.partitions(TOPICS.inferences.name);
      for (let partition = 0; partition < partitions; partition++) {
        const loaded = await store.load(taskName(PROCESSOR, partition));
        for (const [key, value] of loaded?.entries ?? []) {
          await write({ processor: PROCESSOR, stateVersion: loaded!.checkpoint.stateVersion, key, value: base64(value) });
          count++;
        }
      }
      await file.sync();
    } finally {
      await file.close();
    }
    process.stdout.write(`${count} entries in ${out}.\n`);
    return 0;
  });
}

/**
 * `millwright restore`: into a Kafka and a Redis that are new: topics made, services not started yet. The number of partitions may be another one.
 * @throws UsageError where there is something already that it would mix with
 */
export async function restore({ from }: { readonly from: string }): Promise<number> {
  const entries = await read(from);
  return withServers(async (log, store) => {
    for (const { name } of [...TABLES, TOPICS.inferences, TOPICS.quality]) {
      if ((await log.endOffsets(name)).some((end) => end > 0)) throw new UsageError(`${name} has records already: a backup goes into new topics, before the services are started.`);
    }
    const partitions = await log.partitions(TOPICS.inferences.name);
    const states = Array.from({ length: partitions }, () => new Map<string, Uint8Array>());
    const records: NewRecord[] = [];
    let stateVersion = 0;
    for (const each of entries) {
      const value = Buffer.from(each.value, 'base64');
      if ('processor' in each) {
        states[partitionFor(each.key, partitions)]!.set(each.key, value);
        ({ stateVersion } = each);
      } else {
        const headers = { schema: each.schema, source: 'restore', sequence: 0 };
        // Alarms are where their asset is, as alerting writes them; else compaction would keep an old and a new state of one alarm. Changes of a model are together.
        const place = each.topic === TOPICS.alarmStates.name ? Alarm.decode(value).asset : ModelVersion.decode(value).name;
        records.push({ topic: each.topic, partition: partitionFor(place, partitions), key: each.key, value, timeMs: each.timeMs, headers });
      }
    }
    for (const [partition, changed] of states.entries()) {
      const task = taskName(PROCESSOR, partition);
      if (await store.load(task)) throw new UsageError(`Redis has a checkpoint of ${task} already: a backup goes into an empty Redis, before the services are started.`);
      if (changed.size > 0) await store.save(task, { ...emptyCheckpoint(stateVersion), changed, deleted: [] }, true);
    }
    if (records.length > 0) await log.append(records);
    process.stdout.write(`${entries.length} entries restored from ${from}. The services can be started.\n`);
    return 0;
  });
}

interface TableEntry {
  readonly topic: string;
  readonly key: string;
  readonly value: Uint8Array;
  readonly timeMs: number;
  readonly schema: string;
}

/** The last record of each key. */
async function tables(log: EventLog): Promise<TableEntry[]> {
  const last = new Map<string, TableEntry>();
  const tail = await log.tail({
    topics: TABLES.map(({ name }) => name),
    from: 'earliest',
    batch: ({ topic, records }) => {
      for (const { key, value, timeMs, headers } of records) {
        if (key !== WATERMARK_KEY) last.set(`${topic}\0${key}`, { topic, key, value: value.slice(), timeMs, schema: headers.schema });
      }
    },
  });
  try {
    await tail.caughtUp();
  } finally {
    await tail.close();
  }
  return [...last.values()];
}

async function read(path: string): Promise<Entry[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${path} can't be read (${(error as Error).message}): give a file that millwright backup wrote.`);
  }
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  if (lines.length === 0) throw new UsageError(`${path} is empty: give a file that millwright backup wrote.`);
  const parsed = lines.map((line, index) => {
    const result = (index === 0 ? header : entry).safeParse(json(line));
    if (!result.success) throw new UsageError(`${path}, line ${index + 1} is not of a backup of format ${FORMAT}: give a whole file that millwright backup of this version wrote.`);
    return result.data as Entry;
  });
  return parsed.slice(1);
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function create(path: string): Promise<Awaited<ReturnType<typeof open>>> {
  try {
    return await open(path, 'wx');
  } catch (error) {
    throw new UsageError(`${path} can't be made (${(error as Error).message}): give the path of a file that does not exist yet.`);
  }
}

async function withServers(use: (log: EventLog, store: StateStore) => Promise<number>): Promise<number> {
  const { kafka, redis } = readEnvironment({ kafka: kafkaEnvironment, redis: redisEnvironment }, process.env);
  const logger = standardErrorLogger('backup');
  const log = openKafkaLog({ ...kafka, clientId: 'millwright-backup', logger });
  const store = openRedisStore({ ...redis, logger });
  try {
    return await use(log, store);
  } finally {
    await store.close();
    await log.close();
  }
}
