import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { credentials, status, type ClientReadableStream, type ServiceError } from '@grpc/grpc-js';
import {
  Alarm, AlarmEvent, AlarmEventType, AlarmServiceClient, AlarmServiceService, AlarmState, BadRequest, ErrorInfo, TOPICS,
  type AcknowledgeAlarmRequest, type AcknowledgeAlarmResponse,
  type ListAlarmsRequest, type ListAlarmsResponse, type WatchAlarmsResponse,
} from '@millwright/contracts';
import { createLogger, noTelemetry } from '@millwright/observability';
import { GrpcHost, Readiness, readEnvironment, shellEnvironment, startShell, statusDetails, topicSpecs, type RunningShell } from '@millwright/shell';
import { MemoryStateStore, openEmbeddedLog, partitionFor, type EventLog, type PureRecord } from '@millwright/streams';
import { AlarmController } from './alarm.controller.js';
import { AlarmView } from './alarm-view.js';
import { AlertingModule } from './alerting.module.js';
import { CommandWriter } from './command-writer.js';
import { PLANT, SECOND, found } from './testing/fixtures.js';

const { config } = readEnvironment(
  { config: shellEnvironment },
  { MILLWRIGHT_PLANT: 'plant.yaml', MILLWRIGHT_PARTITIONS: '2', GRPC_PORT: '0', HTTP_PORT: '0', LISTEN_HOST: '127.0.0.1', MILLWRIGHT_SHUTDOWN_MS: '0' },
);
const logger = createLogger({ service: 'alerting', level: 'silent' });
const HEAT = 'P-101/quality/heat';

/** Appends to the log as a service upstream would. */
class Upstream {
  readonly #sequences = new Map<number, number>();
  constructor(private readonly log: EventLog) {}

  async send(...records: PureRecord[]): Promise<void> {
    await this.log.append(
      records.map(({ topic = '', schema = '', key, value, timeMs }) => {
        const partition = partitionFor(key, config.partitions);
        const sequence = (this.#sequences.get(partition) ?? 0) + 1;
        this.#sequences.set(partition, sequence);
        return { topic, partition, key, value, timeMs, headers: { schema, source: `quality/${partition}`, sequence } };
      }),
    );
  }
}

function client(address: string): AlarmServiceClient {
  return new AlarmServiceClient(address, credentials.createInsecure());
}

const list = (alarms: AlarmServiceClient, request: Partial<ListAlarmsRequest> = {}) =>
  new Promise<ListAlarmsResponse>((resolve, reject) => {
    alarms.listAlarms({ asset: '', pageSize: 0, pageToken: '', ...request }, (error, response) => (error === null ? resolve(response) : reject(error)));
  });

const acknowledge = (alarms: AlarmServiceClient, request: Partial<AcknowledgeAlarmRequest>) =>
  new Promise<AcknowledgeAlarmResponse>((resolve, reject) => {
    alarms.acknowledgeAlarm({ alarmId: HEAT, occurrence: 0, by: 'ada', comment: '', ...request }, (error, response) => (error === null ? resolve(response) : reject(error)));
  });

async function refusal(call: Promise<unknown>): Promise<ServiceError> {
  return call.then(
    () => Promise.reject(new Error('the call succeeded')),
    (error: unknown) => error as ServiceError,
  );
}

const reasonOf = (error: ServiceError): string => ErrorInfo.decode(statusDetails(error)!.details[0]!.value).reason;
const fieldsOf = (error: ServiceError): string[] => BadRequest.decode(statusDetails(error)!.details[0]!.value).fieldViolations.map(({ field }) => field);

/** Reads a watch's events one by one. */
async function next(watch: AsyncIterator<WatchAlarmsResponse>): Promise<string> {
  const { value } = (await watch.next()) as IteratorYieldResult<WatchAlarmsResponse>;
  return `${AlarmEventType[value.event!.type]} ${value.event!.alarm!.id}`;
}

const opened = async (watch: ClientReadableStream<WatchAlarmsResponse>) => once(watch, 'metadata');

describe('AlarmService', () => {
  let log: EventLog;
  let shell: RunningShell;
  let alarms: AlarmServiceClient;
  let upstream: Upstream;
  let watch: ClientReadableStream<WatchAlarmsResponse>;
  let events: AsyncIterator<WatchAlarmsResponse>;

  beforeEach(async () => {
    log = openEmbeddedLog(':memory:');
    upstream = new Upstream(log);
    shell = await startShell({ plant: PLANT, log, store: new MemoryStateStore(), config, logger, telemetry: noTelemetry }, [AlertingModule]);
    alarms = client(shell.addresses.grpc);
    watch = alarms.watchAlarms({ asset: '' });
    watch.on('error', () => undefined);
    events = watch[Symbol.asyncIterator]();
    await opened(watch);
  });

  afterEach(async () => {
    watch.cancel();
    alarms.close();
    await shell.close();
    await log.close();
  });

  it('lists, acknowledges and sends events as they come', async () => {
    await upstream.send(found(1, true), found(2, true, { asset: 'P-102', chart: 'P-102/heat' }));
    expect([await next(events), await next(events)].sort()).toEqual(['RAISED P-101/quality/heat', 'RAISED P-102/quality/heat']);
    const { alarm } = await acknowledge(alarms, { occurrence: 1, comment: 'on my way' });
    expect(alarm).toMatchObject({ id: HEAT, state: AlarmState.ACKNOWLEDGED, acknowledgedBy: 'ada', comment: 'on my way' });
    expect(await next(events)).toBe('ACKNOWLEDGED P-101/quality/heat');
    const { groups } = await list(alarms, { asset: 'P-101' });
    expect(groups).toMatchObject([{ asset: 'P-101', alarms: [{ id: HEAT, state: AlarmState.ACKNOWLEDGED }] }]);
    await upstream.send(found(3, false));
    expect(await next(events)).toBe('CLEARED P-101/quality/heat');
    expect((await list(alarms)).groups.map(({ asset }) => asset)).toEqual(['P-102']);
  });

  it('refuses what can not be acknowledged, and says why', async () => {
    const unknown = await refusal(acknowledge(alarms, {}));
    expect([unknown.code, reasonOf(unknown)]).toEqual([status.NOT_FOUND, 'ALARM_UNKNOWN']);
    const empty = await refusal(acknowledge(alarms, { alarmId: '', by: ' ' }));
    expect([empty.code, fieldsOf(empty)]).toEqual([status.INVALID_ARGUMENT, ['alarm_id', 'by']]);
    await upstream.send(found(1, true));
    await next(events);
    const other = await refusal(acknowledge(alarms, { occurrence: 2 }));
    expect([other.code, reasonOf(other)]).toEqual([status.FAILED_PRECONDITION, 'OCCURRENCE_NOT_PRESENT']);
    await acknowledge(alarms, {});
    const twice = await refusal(acknowledge(alarms, { by: 'bob' }));
    expect([twice.code, twice.details]).toEqual([
      status.FAILED_PRECONDITION, 'alarm_id: occurrence 1 of P-101/quality/heat was acknowledged by ada; there is nothing left to acknowledge.',
    ]);
  });

  it('refuses pages and assets that are not there', async () => {
    expect(fieldsOf(await refusal(list(alarms, { pageToken: 'nonsense' })))).toEqual(['page_token']);
    expect(fieldsOf(await refusal(list(alarms, { pageSize: -1 })))).toEqual(['page_size']);
    expect(reasonOf(await refusal(list(alarms, { asset: 'P-999' })))).toBe('ASSET_UNKNOWN');
  });

  it('counts commands of a partition without gaps, from a source of its own', async () => {
    await upstream.send(found(1, true), found(1, true, { chart: 'P-101/load' }));
    await next(events);
    await next(events);
    await Promise.all([acknowledge(alarms, {}), acknowledge(alarms, { alarmId: 'P-101/quality/load' })]);
    const commands: [number, string, number][] = [];
    const tail = await log.tail({
      topics: [TOPICS.alarmCommands.name],
      from: 'earliest',
      batch: ({ records }) => void commands.push(...records.map(({ partition, headers }) => [partition, headers.source, headers.sequence] as [number, string, number])),
    });
    await tail.caughtUp();
    await tail.close();
    const partition = partitionFor('P-101', config.partitions);
    const source = expect.stringMatching(new RegExp(`^alerting-api/.+-[0-9a-f]{8}/${partition}$`));
    expect(commands).toEqual([[partition, source, 1], [partition, source, 2]]);
    expect(commands[0]?.[1]).toBe(commands[1]?.[1]);
  });

  it('shows open alarms again after a restart, and counts on', async () => {
    await upstream.send(found(1, true));
    await next(events);
    const view = new AlarmView(log, PLANT, logger);
    await view.start();
    await view.caughtUp();
    expect([...view.open()].map(({ id }) => id)).toEqual([HEAT]);
    await view.close();
  });
});

describe('while what a killed owner left open in the log holds up its readers', () => {
  it('alarms are processed, which ends it; it is not ready, and answers when it knows them all', async () => {
    const inner = openEmbeddedLog(':memory:');
    const ended = Promise.withResolvers<void>();
    const tail: EventLog['tail'] = async (options) => {
      const states = await inner.tail(options);
      return { caughtUp: () => ended.promise.then(() => states.caughtUp()), close: () => states.close() };
    };
    const log = new Proxy(inner, {
      get: (of, name): unknown => {
        const found: unknown = name === 'tail' ? tail : Reflect.get(of, name);
        return typeof found === 'function' ? (found.bind(of) as unknown) : found;
      },
    });
    const shell = await startShell({ plant: PLANT, log, store: new MemoryStateStore(), config, logger, telemetry: noTelemetry }, [AlertingModule]);
    const alarms = client(shell.addresses.grpc);
    const watch = alarms.watchAlarms({ asset: '' });
    watch.on('error', () => undefined);
    await opened(watch);
    await new Upstream(log).send(found(1, true));
    expect(await next(watch[Symbol.asyncIterator]())).toBe('RAISED P-101/quality/heat');
    const readiness = async (): Promise<string> => (await fetch(`http://${shell.addresses.http}/readyz`)).text();
    expect(await readiness()).toContain('the alarms of before the start have not all been read yet');
    let answered = 0;
    const listed = list(alarms).finally(() => answered++);
    // What it has not read yet it can't call unknown.
    const unknown = refusal(acknowledge(alarms, { alarmId: 'P-101/quality/load' })).finally(() => answered++);
    // Sent after them on the same connection, answered before them; a second one, so that an answer to them would have come with its first.
    for (let call = 0; call < 2; call++) expect((await refusal(acknowledge(alarms, { by: ' ' }))).code).toBe(status.INVALID_ARGUMENT);
    expect(answered).toBe(0);
    ended.resolve();
    expect((await listed).groups.map(({ asset }) => asset)).toEqual(['P-101']);
    expect((await unknown).code).toBe(status.NOT_FOUND);
    expect(await readiness()).not.toContain('the alarms of before the start');
    watch.cancel();
    alarms.close();
    await shell.close();
    await log.close();
  });
});

describe('with nobody to process commands', () => {
  it('an acknowledgement ends with DEADLINE_EXCEEDED, and a watcher that does not read with RESOURCE_EXHAUSTED', async () => {
    const log = openEmbeddedLog(':memory:');
    await log.createTopics(topicSpecs(config.partitions));
    const view = new AlarmView(log, PLANT, logger);
    await view.start();
    const grpc = new GrpcHost(config, logger, noTelemetry, new Readiness());
    const commands = new CommandWriter(log, 'test');
    grpc.add(AlarmServiceService, new AlarmController({ plant: PLANT, view, commands, nowUs: () => SECOND, closing: grpc.closing, acknowledgeMs: 50, watchQueue: 2 }));
    const alarms = client(await grpc.start());
    const watch = alarms.watchAlarms({ asset: '' });
    const failed = once(watch, 'error');
    await opened(watch);

    const alarm = Alarm.fromPartial({ id: HEAT, asset: 'P-101', state: AlarmState.UNACKNOWLEDGED, occurrence: 1, message: 'x'.repeat(200_000) });
    const event = AlarmEvent.encode({ type: AlarmEventType.RAISED, timeUs: SECOND, alarm }).finish();
    const write = (topic: { name: string; schema: string }, value: Uint8Array, sequence: number) =>
      ({ topic: topic.name, partition: 0, key: HEAT, value, timeMs: 1000, headers: { schema: topic.schema, source: 'alerting/0', sequence } });
    // More than the connection's window and the queue hold.
    await log.append([write(TOPICS.alarmStates, Alarm.encode(alarm).finish(), 1), ...Array.from({ length: 50 }, (_, i) => write(TOPICS.alarms, event, i + 1))]);
    const shown = await view.until(HEAT, () => true, new AbortController().signal);
    expect(shown?.occurrence).toBe(1);

    expect((await refusal(acknowledge(alarms, {}))).code).toBe(status.DEADLINE_EXCEEDED);
    let read = 0;
    watch.on('data', () => read++);
    const [error] = (await failed) as [ServiceError];
    expect([error.code, reasonOf(error)]).toEqual([status.RESOURCE_EXHAUSTED, 'WATCHER_TOO_SLOW']);
    expect(read).toBeLessThan(50);

    alarms.close();
    await grpc.close();
    await view.close();
    await log.close();
  });
});
