import { afterEach, describe, expect, it } from '@jest/globals';
import { credentials, Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { Inject, Module, type DynamicModule, type OnModuleInit } from '@nestjs/common';
import {
  BadRequest, ErrorInfo, FeatureServiceClient, FeatureServiceService, TOPICS,
  type FeatureServiceServer, type GetLatestResponse,
} from '@millwright/contracts';
import { createLogger, startTelemetry } from '@millwright/observability';
import { parsePlant } from '@millwright/plant';
import { EmbeddedStateStore, openEmbeddedLog, type AnyProcessor, type EmbeddedLog, type EventLog } from '@millwright/streams';
import { failedPrecondition, GrpcHost, HttpHost, invalidArgument, ProcessorHost, Readiness, shellEnvironment, startShell, statusDetails, topicSpecs, unary, type Check, type HttpHandler, type RunningShell } from './index.js';

const PLANT = parsePlant(
  'name: test\nenterprise: E\nsites: { S: { areas: { A: { lines: { L: { units: { P-1: { kind: k } } } } } } } }\nkinds: { k: { window: { length: 1s, hop: 1s, grace: 1s }, signals: { s: { unit: g, every: 1s, range: [0, 1] } } } }',
  'test.yaml',
);

const COUNTER: AnyProcessor = {
  name: 'counter',
  inputs: [TOPICS.telemetry.name],
  outputs: [TOPICS.features.name],
  stateVersion: 1,
  codec: { encode: () => new Uint8Array(), decode: () => ({}) },
  decode: ({ value }) => value as Uint8Array,
  initial: () => ({}),
  onRecord: () => [],
};

interface ServiceOptions {
  readonly processor?: AnyProcessor;
  readonly handler?: FeatureServiceServer['getLatest'];
  readonly check?: Check;
  /** Answers for /own. */
  readonly http?: HttpHandler;
}

@Module({})
class ServiceModule implements OnModuleInit {
  constructor(
    @Inject('OPTIONS') private readonly options: ServiceOptions,
    @Inject(ProcessorHost) private readonly processors: ProcessorHost,
    @Inject(GrpcHost) private readonly grpc: GrpcHost,
    @Inject(HttpHost) private readonly http: HttpHost,
    @Inject(Readiness) private readonly readiness: Readiness,
  ) {}

  static with(options: ServiceOptions): DynamicModule {
    return { module: ServiceModule, providers: [{ provide: 'OPTIONS', useValue: options }] };
  }

  onModuleInit(): void {
    const { processor, handler, check, http } = this.options;
    if (processor !== undefined) this.processors.add(processor);
    if (handler !== undefined) this.grpc.add(FeatureServiceService, { getLatest: handler, listLayouts: unary(() => ({ layouts: [] })) });
    if (check !== undefined) this.readiness.add('service', check);
    if (http !== undefined) this.http.add('/own', http);
  }
}

const lines: Record<string, unknown>[] = [];
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  lines.length = 0;
});

async function start(options: ServiceOptions, wrap: (log: EventLog) => EventLog = (log) => log): Promise<{ shell: RunningShell; log: EmbeddedLog; client: FeatureServiceClient }> {
  const log = openEmbeddedLog(':memory:');
  cleanups.push(() => log.close());
  const config = shellEnvironment.parse({ MILLWRIGHT_PLANT: 'test.yaml', LISTEN_HOST: '127.0.0.1', GRPC_PORT: '0', HTTP_PORT: '0', MILLWRIGHT_PARTITIONS: '2', MILLWRIGHT_SHUTDOWN_MS: '500', MILLWRIGHT_LIVENESS_MS: '1000' });
  const logger = createLogger({ service: 'test', level: 'info', destination: { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) } });
  const telemetry = await startTelemetry({ service: 'test', version: '0', instance: 'one' });
  cleanups.push(() => telemetry.shutdown());
  const shell = await startShell({ config, log: wrap(log), store: new EmbeddedStateStore(log), plant: PLANT, logger, telemetry }, [ServiceModule.with(options)]);
  cleanups.push(() => shell.close());
  const client = new FeatureServiceClient(shell.addresses.grpc, credentials.createInsecure());
  cleanups.push(() => client.close());
  return { shell, log, client };
}

const get = async (shell: RunningShell, path: string): Promise<{ code: number; body: string }> => {
  const response = await fetch(`http://${shell.addresses.http}${path}`);
  return { code: response.status, body: await response.text() };
};

const call = (client: FeatureServiceClient): Promise<GetLatestResponse> =>
  new Promise((resolve, reject) => {
    client.getLatest({ asset: 'P-1' }, new Metadata(), (error, response) => (error === null ? resolve(response) : reject(error)));
  });

const failure = (client: FeatureServiceClient): Promise<ServiceError> => call(client).then(() => Promise.reject(new Error('it did not fail')), (error: ServiceError) => error);

describe('HTTP', () => {
  it('is ready when processors have joined their groups, and exports ledger, lag and process', async () => {
    const { shell, log } = await start({ processor: COUNTER });
    const headers = { schema: TOPICS.telemetry.schema, source: 'test', sequence: 1 };
    await log.append([{ topic: TOPICS.telemetry.name, partition: 0, key: 'P-1', value: new Uint8Array(), timeMs: 1, headers }]);
    let ready = await get(shell, '/readyz');
    while (ready.code !== 200) ready = await get(shell, '/readyz');
    expect(JSON.parse(ready.body)).toMatchObject({ ready: true, checks: expect.arrayContaining([{ name: 'log' }, { name: 'store' }, { name: 'processors' }]) });

    const processed = 'millwright_ledger_records_total{millwright_processor="counter",messaging_destination_name="telemetry.v1",messaging_destination_partition_id="0",millwright_outcome="processed",service_name="test"} 1';
    let metrics = (await get(shell, '/metrics')).body;
    while (!metrics.includes(processed)) metrics = (await get(shell, '/metrics')).body;
    expect(metrics).toMatch(/messaging_process_duration_seconds_count\{[^}]*messaging_consumer_group_name="counter"[^}]*\} 1\n/);
    expect(metrics).toMatch(/process_memory_usage_bytes\{[^}]*\} \d+/);

    const [processor] = JSON.parse((await get(shell, '/status')).body) as unknown[];
    expect(processor).toMatchObject({ processor: 'counter', assignment: [0, 1], lag: 0 });
  });

  it('is ready to stand by where there are more members than partitions', async () => {
    const { shell, log } = await start({ processor: COUNTER });
    const shells = [shell];
    while (shells.length < 3) shells.push((await start({ processor: COUNTER }, () => log)).shell);
    const held = async (): Promise<number[]> =>
      Promise.all(shells.map(async (each) => (JSON.parse((await get(each, '/status')).body) as { assignment: number[] }[])[0]!.assignment.length));
    while ((await held()).reduce((sum, each) => sum + each) < 2) await get(shell, '/readyz');
    expect((await held()).sort()).toEqual([0, 1, 1]);
    for (const each of shells) while ((await get(each, '/readyz')).code !== 200) await get(each, '/livez');
  });

  it('says what is missing while it is not ready, a throwing check included', async () => {
    let problem: string | undefined = 'the model pump-v3 is still loading';
    const { shell } = await start({
      check: () => {
        if (problem === 'broken') throw new Error('the check itself failed');
        return problem;
      },
    });
    const service = async () => {
      const { code, body } = await get(shell, '/readyz');
      return { code, check: (JSON.parse(body) as { checks: { name: string }[] }).checks.find(({ name }) => name === 'service') };
    };
    expect(await service()).toEqual({ code: 503, check: { name: 'service', problem } });
    problem = 'broken';
    expect(await service()).toEqual({ code: 503, check: { name: 'service', problem: 'the check itself failed' } });
    problem = undefined;
    expect(await service()).toEqual({ code: 200, check: { name: 'service' } });
    expect(await get(shell, '/livez')).toMatchObject({ code: 200 });
  });

  it('names the paths that there are', async () => {
    const { shell } = await start({});
    expect(await get(shell, '/constructor')).toEqual({ code: 404, body: expect.stringContaining('/livez, /readyz, /metrics, /status') });
    expect((await fetch(`http://${shell.addresses.http}/status`, { method: 'POST' })).status).toBe(405);
  });
});

describe('HTTP of a service', () => {
  it('gives its handler what is under its prefix, whole, and answers what it throws', async () => {
    const { shell } = await start({
      http: ({ method, path, body }) => {
        if (path === '/own/broken') throw new Error('a bug');
        return { code: 201, type: 'text/plain', body: `${method} ${path} ${body.toString()}`, headers: { 'x-own': 'yes' } };
      },
    });
    const base = `http://${shell.addresses.http}`;
    const answer = await fetch(`${base}/own/a?b=c`, { method: 'POST', body: 'hello' });
    expect([answer.status, answer.headers.get('x-own'), await answer.text()]).toEqual([201, 'yes', 'POST /own/a hello']);
    expect((await fetch(`${base}/ownother`)).status).toBe(404);
    expect((await fetch(`${base}/own/broken`)).status).toBe(500);
    expect(lines.some(({ message }) => message === 'an HTTP request failed')).toBe(true);
    const large = await fetch(`${base}/own`, { method: 'POST', body: new Uint8Array(17 * 1024 * 1024) });
    expect([large.status, await large.json()]).toEqual([413, { error: expect.stringContaining('16777216 bytes') }]);
  });
});

describe('gRPC', () => {
  it('answers thrown errors as google.rpc.Status with details', async () => {
    const { client } = await start({
      handler: unary(() => {
        throw invalidArgument([
          { field: 'asset', reason: 'UNKNOWN_ASSET', description: 'There is no P-1.' },
          { field: 'kind', reason: 'UNKNOWN_KIND', description: 'There is no kind.' },
        ]);
      }),
    });
    const error = await failure(client);
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT, details: 'asset: There is no P-1. (and 1 more)' });
    const { code, details } = statusDetails(error)!;
    expect(code).toBe(status.INVALID_ARGUMENT);
    expect(BadRequest.decode(details[0]!.value).fieldViolations).toHaveLength(2);
  });

  it('gives a reason for programs with other errors', async () => {
    const { client } = await start({ handler: unary(() => Promise.reject(failedPrecondition('NOT_READY', 'Baselines are missing; compute them.'))) });
    const error = await failure(client);
    expect(error).toMatchObject({ code: status.FAILED_PRECONDITION, details: 'Baselines are missing; compute them.' });
    expect(ErrorInfo.decode(statusDetails(error)!.details[0]!.value)).toMatchObject({ reason: 'NOT_READY', domain: 'millwright' });
  });

  it.each<[string, FeatureServiceServer['getLatest']]>([
    ['an async handler', unary(() => Promise.reject(new Error('secret table')))],
    ['a handler that throws at once', () => { throw new Error('secret table'); }],
    ['a callback', (_call, callback) => callback(new Error('secret table'))],
  ])('keeps the cause of an unexpected failure of %s in the log', async (_what, handler) => {
    const { client } = await start({ handler });
    const error = await failure(client);
    expect(error.code).toBe(status.INTERNAL);
    expect(error.details).not.toContain('secret');
    expect(lines).toContainEqual(expect.objectContaining({ level: 'error', message: 'a gRPC handler failed', err: expect.objectContaining({ message: 'secret table' }) }));
  });

  it('answers INVALID_ARGUMENT to bytes that are no message, and lives on', async () => {
    const { client, shell } = await start({ handler: unary(() => ({ features: [] }) as unknown as GetLatestResponse) });
    const error = await new Promise<ServiceError>((resolve) => {
      const asIs = (bytes: Buffer): Buffer => bytes;
      client.makeUnaryRequest('/millwright.features.v1.FeatureService/GetLatest', asIs, asIs, Buffer.from([0x0a, 0x7f, 0x00]), (thrown) => resolve(thrown!));
    });
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT, details: expect.stringContaining('not a valid protobuf message') });
    const metrics = (await get(shell, '/metrics')).body;
    expect(metrics).toMatch(/rpc_server_call_duration_seconds_count\{[^}]*rpc_method="millwright.features.v1.FeatureService\/GetLatest"[^}]*rpc_response_status_code="INVALID_ARGUMENT"[^}]*\} 1/);
  });

  it('serves the health of every service, following readiness', async () => {
    let problem: string | undefined = 'not yet';
    const { client } = await start({ handler: unary(() => Promise.reject(new Error())), check: () => problem });
    const health = (service: string) =>
      new Promise<number>((resolve, reject) => {
        const request = Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)]);
        client.makeUnaryRequest('/grpc.health.v1.Health/Check', (bytes: Buffer) => bytes, (bytes: Buffer) => bytes, request, (error, answer) => (error === null ? resolve(answer![1]!) : reject(error)));
      });
    expect(await health('millwright.features.v1.FeatureService')).toBe(2);
    problem = undefined;
    let serving = 2;
    while (serving !== 1) serving = await health('');
    expect(await health('millwright.features.v1.FeatureService')).toBe(1);
  });
});

describe('shutdown', () => {
  it('lets calls that are under way end, and checks the ledger into the log', async () => {
    const entered = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const { shell, client } = await start({
      processor: COUNTER,
      handler: unary(async () => {
        entered.resolve();
        await answer.promise;
        return { vectors: [] } as unknown as GetLatestResponse;
      }),
    });
    const slow = call(client);
    await entered.promise;
    const closing = shell.close();
    answer.resolve();
    await expect(slow).resolves.toBeDefined();
    await closing;
    expect(lines).toContainEqual(expect.objectContaining({ message: 'final ledger', processor: 'counter' }));
  });

  it('ends calls that outlast the grace', async () => {
    const entered = Promise.withResolvers<void>();
    const { shell, client } = await start({ handler: unary(() => (entered.resolve(), new Promise<never>(() => undefined))) });
    const endless = failure(client);
    await entered.promise;
    await shell.close();
    expect([status.CANCELLED, status.UNAVAILABLE]).toContain((await endless).code);
  });

  it('names the port that is taken', async () => {
    const { shell } = await start({});
    const taken = shell.addresses.grpc.split(':')[1]!;
    const log = openEmbeddedLog(':memory:');
    cleanups.push(() => log.close());
    const config = { ...shellEnvironment.parse({ MILLWRIGHT_PLANT: 'x', LISTEN_HOST: '127.0.0.1', HTTP_PORT: '0' }), grpcPort: Number(taken) };
    const logger = createLogger({ service: 'test', level: 'silent' });
    const telemetry = await startTelemetry({ service: 'test', version: '0', instance: 'two' });
    cleanups.push(() => telemetry.shutdown());
    await expect(startShell({ config, log, store: new EmbeddedStateStore(log), plant: PLANT, logger, telemetry }, [])).rejects.toThrow(/set GRPC_PORT to a free port/);
  });
});

describe('topicSpecs', () => {
  it('has every topic, with .dlq and .late of those that are consumed', () => {
    const specs = topicSpecs(4);
    expect(specs.map(({ name }) => name)).toEqual(expect.arrayContaining(['telemetry.v1', 'telemetry.v1.dlq', 'telemetry.v1.late', 'alarms.v1', 'alarm-states.v1']));
    expect(specs.every(({ partitions }) => partitions === 4)).toBe(true);
    expect(specs.filter(({ compacted }) => compacted).map(({ name }) => name)).toEqual(['alarm-states.v1', 'models.v1']);
    expect(specs.map(({ name }) => name)).not.toContain('alarms.v1.dlq');
  });
});
