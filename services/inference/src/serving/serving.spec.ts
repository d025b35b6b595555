import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { credentials, Metadata, status, type CallOptions, type ServiceError } from '@grpc/grpc-js';
import { GRPCInferenceServiceClient, ModelInferRequest, type ModelInferResponse } from '@millwright/contracts';
import { logits, softmax } from '@millwright/learning';
import { createLogger, startTelemetry } from '@millwright/observability';
import type { Plant } from '@millwright/plant';
import { shellEnvironment, startShell, type RunningShell } from '@millwright/shell';
import { EmbeddedStateStore, openEmbeddedLog } from '@millwright/streams';
import { InferenceModule } from '../inference.module.js';
import { NETWORK, toyPlant, writeLife } from '../testing/fixtures.js';

let plant: Plant;
let shell: RunningShell;
let client: GRPCInferenceServiceClient;
let base: string;
const cleanups: (() => Promise<unknown> | void)[] = [];

beforeAll(async () => {
  const toy = await toyPlant();
  plant = toy.plant;
  cleanups.push(() => toy.remove());
  const log = openEmbeddedLog(':memory:');
  cleanups.push(() => log.close());
  const config = shellEnvironment.parse({ MILLWRIGHT_PLANT: 'toy.yaml', LISTEN_HOST: '127.0.0.1', GRPC_PORT: '0', HTTP_PORT: '0', MILLWRIGHT_PARTITIONS: '1' });
  const logger = createLogger({ service: 'test', level: 'silent' });
  const telemetry = await startTelemetry({ service: 'test', version: '0', instance: 'one' });
  cleanups.push(() => telemetry.shutdown());
  shell = await startShell({ config, log, store: new EmbeddedStateStore(log), plant, logger, telemetry }, [InferenceModule.with({ workers: 2 })]);
  cleanups.push(() => shell.close());
  client = new GRPCInferenceServiceClient(shell.addresses.grpc, credentials.createInsecure());
  cleanups.push(() => client.close());
  base = `http://${shell.addresses.http}/v2`;
});
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

type Unary<Q, R> = (request: Q, metadata: Metadata, options: Partial<CallOptions>, callback: (error: ServiceError | null, response: R) => void) => unknown;
const call = <Q, R>(method: Unary<Q, R>, request: Q, options: Partial<CallOptions> = {}): Promise<R> =>
  new Promise((resolve, reject) => method.call(client, request, new Metadata(), options, (error, response) => (error === null ? resolve(response) : reject(error))));

const load = (modelName: string) => call(client.repositoryModelLoad, { repositoryName: '', modelName, parameters: {} });
const unload = (modelName: string) => call(client.repositoryModelUnload, { repositoryName: '', modelName, parameters: {} });
const index = async (): Promise<string[]> => (await call(client.repositoryIndex, { repositoryName: '', ready: false })).models.map(({ name, version, state }) => `${name} ${version} ${state}`);

const raw = (values: Float32Array): Uint8Array => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
const floats = (bytes: Uint8Array): Float32Array => new Float32Array(new Uint8Array(bytes).buffer);

/** A request for rows of [history, 4]. */
function request(modelName: string, history: number, values: Float32Array, changes: Parameters<typeof ModelInferRequest.fromPartial>[0] = {}): ModelInferRequest {
  const shape = [values.length / history / 4, history, 4];
  return ModelInferRequest.fromPartial({ modelName, inputs: [{ name: 'features', datatype: 'FP32', shape }], rawInputContents: [raw(values)], ...changes });
}

const infer = (message: ModelInferRequest): Promise<ModelInferResponse> => call(client.modelInfer, message);

const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${base}${path}`, { method: 'POST', headers, body: body instanceof Uint8Array ? body : JSON.stringify(body) });
const jsonRequest = (data: unknown, changes: object = {}): object => ({ inputs: [{ name: 'features', datatype: 'FP32', shape: [2, 1, 4], data }], ...changes });

/** Rows whose values differ, each within ±10. */
const rowsOf = (count: number, width: number): Float32Array => Float32Array.from({ length: count * width }, (_, i) => Math.fround(5 * Math.sin(i)));
const probabilities = (values: Float32Array): ArrayLike<number> => softmax(logits(NETWORK, values, values.length / 4), 3);
const expectClose = (actual: ArrayLike<number>, expected: ArrayLike<number>): void => {
  expect(actual).toHaveLength(expected.length);
  for (let i = 0; i < expected.length; i++) expect(Math.abs(actual[i]! - expected[i]!)).toBeLessThan(1e-4);
};

describe('Open Inference Protocol over gRPC', () => {
  it('says what there is', async () => {
    expect(await call(client.serverLive, {})).toEqual({ live: true });
    expect(await call(client.serverReady, {})).toEqual({ ready: true });
    expect(await call(client.modelReady, { name: 'toy-life', version: '' })).toEqual({ ready: true });
    expect(await call(client.modelReady, { name: 'toy-life', version: '9' })).toEqual({ ready: false });
    expect((await call(client.serverMetadata, {})).name).toBe('millwright');
    expect(await call(client.modelMetadata, { name: 'toy-life', version: '1.2.3' })).toEqual({
      name: 'toy-life',
      versions: ['1.2.3'],
      platform: 'onnx',
      inputs: [{ name: 'features', datatype: 'FP32', shape: [-1, 3, 4] }],
      outputs: ['value', 'lower', 'upper'].map((name) => ({ name, datatype: 'FP32', shape: [-1, 1] })),
    });
  });

  it.each([1, 31, 32, 33, 500])('answers %i rows as the trainer does, whatever batch the graph has', async (count) => {
    const values = rowsOf(count, 4);
    const response = await infer(request('toy-diagnosis', 1, values, { id: 'seven' }));
    expect(response.outputs.map(({ name, datatype, shape }) => [name, datatype, ...shape])).toEqual([
      ['probabilities', 'FP32', count, 3],
      ['contributions', 'FP32', count, 4],
    ]);
    expect([response.modelName, response.modelVersion, response.id]).toEqual(['toy-diagnosis', '1.2.3', 'seven']);
    expectClose(floats(response.rawOutputContents[0]!), probabilities(values));
  });

  it('takes typed contents and answers in them', async () => {
    const values = rowsOf(2, 4);
    const typed = request('toy-diagnosis', 1, values, { rawInputContents: [], inputs: [{ name: 'features', datatype: 'FP32', shape: [2, 1, 4], contents: { fp32Contents: [...values] } }] });
    const response = await infer(typed);
    expect(response.rawOutputContents).toEqual([]);
    expectClose(response.outputs[0]!.contents!.fp32Contents, probabilities(values));
  });

  it('gives only the outputs that are asked for, and classes with their labels', async () => {
    const values = rowsOf(1, 4);
    const expected = probabilities(values);
    const classes = { name: 'probabilities', parameters: { classification: { parameterChoice: { $case: 'int64Param' as const, value: 2 } } } };
    const response = await infer(request('toy-diagnosis', 1, values, { rawInputContents: [], inputs: [{ name: 'features', datatype: 'FP32', shape: [1, 1, 4], contents: { fp32Contents: [...values] } }], outputs: [classes] }));
    expect(response.outputs.map(({ name, datatype, shape }) => [name, datatype, ...shape])).toEqual([['probabilities', 'BYTES', 1, 2]]);
    const order = [0, 1, 2].sort((a, b) => expected[b]! - expected[a]!).slice(0, 2);
    const told = response.outputs[0]!.contents!.bytesContents.map((bytes) => Buffer.from(bytes).toString().split(':'));
    expect(told.map(([, at, label]) => [at, label])).toEqual(order.map((at) => [String(at), ['fine', 'worn', 'loose'][at]]));
    expectClose(told.map(([value]) => Number(value)), order.map((at) => expected[at]!));
  });

  const four = new Float32Array(4);
  it.each<[string, Parameters<typeof request>, status, RegExp]>([
    ['an unknown model', ['nothing', 1, four], status.NOT_FOUND, /no model nothing; loaded are toy-diagnosis/],
    ['an unknown version', ['toy-life', 3, rowsOf(1, 12), { modelVersion: '9' }], status.NOT_FOUND, /no version 9 loaded; there is 1\.2\.3/],
    ['a name that leads out of the folder', ['../models/toy-life', 1, four], status.NOT_FOUND, /no model/],
    ['a wrong shape', ['toy-life', 1, four], status.INVALID_ARGUMENT, /inputs\.features: the shape is \[1, 1, 4\], and model toy-life takes \[n, 3, 4\]/],
    ['too few values', ['toy-diagnosis', 1, four, { rawInputContents: [raw(four.subarray(1))] }], status.INVALID_ARGUMENT, /inputs\.features: there are 3 values/],
    ['half a value', ['toy-diagnosis', 1, four, { rawInputContents: [new Uint8Array(15)] }], status.INVALID_ARGUMENT, /inputs\.features: 15 bytes/],
    ['no rows', ['toy-diagnosis', 1, new Float32Array()], status.INVALID_ARGUMENT, /n at least 1/],
    ['another datatype', ['toy-diagnosis', 1, four, { inputs: [{ name: 'features', datatype: 'INT32', shape: [1, 1, 4] }] }], status.INVALID_ARGUMENT, /inputs\.features: the datatype is INT32/],
    ['another input', ['toy-diagnosis', 1, four, { inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 1, 4] }] }], status.INVALID_ARGUMENT, /needs the input "features"/],
    ['another output', ['toy-diagnosis', 1, four, { outputs: [{ name: 'x' }] }], status.INVALID_ARGUMENT, /outputs\.x: .* has the outputs probabilities, contributions/],
    ['a priority that there is not', ['toy-diagnosis', 1, four, { parameters: { priority: { parameterChoice: { $case: 'stringParam', value: 'urgent' } } } }], status.INVALID_ARGUMENT, /parameters\.priority/],
    ['more rows than may wait', ['toy-diagnosis', 1, rowsOf(9000, 4)], status.RESOURCE_EXHAUSTED, /9000 more exceed 8192/],
    ['a timeout that has passed', ['toy-diagnosis', 1, four, { parameters: { timeout: { parameterChoice: { $case: 'doubleParam', value: 1e-3 } } } }], status.DEADLINE_EXCEEDED, /before inference began/],
  ])('refuses %s', async (_, [model, history, values, changes], code, message) => {
    await expect(infer(request(model, history, values, changes))).rejects.toMatchObject({ code, details: expect.stringMatching(message) });
  });

  it.each(['alarm', 'analytics'])('takes the priority %s', async (priority) => {
    const values = rowsOf(1, 4);
    const { rawOutputContents } = await infer(request('toy-diagnosis', 1, values, { parameters: { priority: { parameterChoice: { $case: 'stringParam', value: priority } } } }));
    expectClose(floats(rawOutputContents[0]!), probabilities(values));
  });
});

describe('model repository', () => {
  const ones = new Float32Array(12).fill(1);
  const valueOf = async (model: string): Promise<number> => floats((await infer(request(model, 3, ones))).rawOutputContents[0]!)[0]!;

  it('loads a model from its folder, and unloads it', async () => {
    await writeLife(plant.directory, 'extra', '1', 10);
    expect(await index()).toContain('extra  UNAVAILABLE');
    await expect(valueOf('extra')).rejects.toMatchObject({ code: status.UNAVAILABLE, details: expect.stringContaining('RepositoryModelLoad') });
    await load('extra');
    expect(await index()).toContain('extra 1 READY');
    expect(await valueOf('extra')).toBe(11);
    await unload('extra');
    await expect(valueOf('extra')).rejects.toMatchObject({ code: status.UNAVAILABLE });
  });

  it('changes to a new version while requests run, and drops none', async () => {
    await writeLife(plant.directory, 'hot', '1', 10);
    await load('hot');
    let stop = false;
    const answers: [string, number][] = [];
    const caller = async (): Promise<void> => {
      while (!stop) {
        const { modelVersion, rawOutputContents } = await infer(request('hot', 3, ones));
        answers.push([modelVersion, floats(rawOutputContents[0]!)[0]!]);
      }
    };
    const callers = Array.from({ length: 16 }, caller);
    await writeLife(plant.directory, 'hot', '2', 20);
    await load('hot');
    expect(await valueOf('hot')).toBe(21);
    expect((await index()).filter((line) => line.startsWith('hot'))).toEqual(['hot 2 READY']);
    stop = true;
    await Promise.all(callers);
    expect(new Set(answers.map(([version, value]) => `${version} ${value}`))).toEqual(new Set(['1 11', '2 21']));
    await unload('hot');
  });

  it('leaves the stream its version, and serves a newer one beside it', async () => {
    await writeLife(plant.directory, 'toy-life', '2', 100);
    await load('toy-life');
    expect(await valueOf('toy-life')).toBe(101);
    const older = await infer(request('toy-life', 3, ones, { modelVersion: '1.2.3' }));
    expect(floats(older.rawOutputContents[0]!)[0]).toBe(1);
    await expect(unload('toy-life')).rejects.toMatchObject({ code: status.FAILED_PRECONDITION, details: expect.stringContaining('judges the stream') });
    await writeLife(plant.directory, 'toy-life');
    await load('toy-life');
    expect((await index()).filter((line) => line.startsWith('toy-life'))).toEqual(['toy-life 1.2.3 READY']);
  });

  it('goes on with the version before where a new one cannot be used', async () => {
    await writeLife(plant.directory, 'broken', '1', 10);
    await load('broken');
    await writeFile(join(plant.directory, 'models', 'broken', 'model.onnx'), 'not a model');
    await expect(load('broken')).rejects.toMatchObject({ code: status.FAILED_PRECONDITION, details: expect.stringContaining('only partly copied') });
    expect(await valueOf('broken')).toBe(11);
    await unload('broken');
  });

  it('refuses models that there are not', async () => {
    await expect(load('nothing')).rejects.toMatchObject({ code: status.NOT_FOUND });
    await expect(load('../models/toy-life')).rejects.toMatchObject({ code: status.NOT_FOUND });
    await expect(unload('nothing')).rejects.toMatchObject({ code: status.NOT_FOUND });
  });
});

describe('Open Inference Protocol over HTTP', () => {
  const get = async (path: string): Promise<[number, unknown]> => {
    const response = await fetch(`${base}${path}`);
    return [response.status, await response.json()];
  };

  it('says what there is', async () => {
    expect(await get('/health/live')).toEqual([200, { live: true }]);
    expect(await get('/health/ready')).toEqual([200, { ready: true }]);
    expect(await get('')).toEqual([200, expect.objectContaining({ name: 'millwright' })]);
    expect(await get('/models/toy-life/versions/1.2.3/ready')).toEqual([200, { name: 'toy-life', ready: true }]);
    expect(await get('/models/toy-diagnosis')).toEqual([200, expect.objectContaining({ versions: ['1.2.3'], inputs: [{ name: 'features', datatype: 'FP32', shape: [-1, 1, 4] }] })]);
    expect(await get('/models/nothing')).toEqual([404, { error: expect.stringContaining('no model nothing') }]);
    expect(await get('/nothing')).toEqual([404, { error: expect.stringContaining('/v2/health/live') }]);
    expect(await get('/models/toy-life/infer')).toEqual([405, { error: 'use POST for /v2/models/toy-life/infer' }]);
  });

  it('answers JSON, flat or nested', async () => {
    const values = rowsOf(2, 4);
    const nested = [[[...values.subarray(0, 4)]], [[...values.subarray(4)]]];
    for (const data of [[...values], nested]) {
      const response = await post('/models/toy-diagnosis/infer', jsonRequest(data, { id: 'a', outputs: [{ name: 'probabilities' }] }));
      const { model_name, model_version, id, outputs } = (await response.json()) as { model_name: string; model_version: string; id: string; outputs: { data: number[] }[] };
      expect([response.status, model_name, model_version, id]).toEqual([200, 'toy-diagnosis', '1.2.3', 'a']);
      expectClose(outputs[0]!.data, probabilities(values));
    }
  });

  it('takes null for no value, as NaN is in raw tensors', async () => {
    const values = rowsOf(2, 4);
    values[1] = NaN;
    const response = await post('/models/toy-diagnosis/infer', jsonRequest([...values].map((value) => (Number.isNaN(value) ? null : value))));
    const { outputs } = (await response.json()) as { outputs: { data: number[] }[] };
    const { rawOutputContents } = await infer(request('toy-diagnosis', 1, values));
    expectClose(outputs[0]!.data, floats(rawOutputContents[0]!));
  });

  it('takes and gives binary tensors', async () => {
    const values = rowsOf(2, 4);
    const head = Buffer.from(JSON.stringify({ parameters: { binary_data_output: true }, inputs: [{ name: 'features', datatype: 'FP32', shape: [2, 1, 4], parameters: { binary_data_size: 32 } }] }));
    const response = await post('/models/toy-diagnosis/infer', Buffer.concat([head, raw(values)]), { 'inference-header-content-length': String(head.length) });
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    const body = Buffer.from(await response.arrayBuffer());
    const end = Number(response.headers.get('inference-header-content-length'));
    const { outputs } = JSON.parse(body.toString('utf8', 0, end)) as { outputs: { parameters: { binary_data_size: number } }[] };
    expect(outputs.map(({ parameters }) => parameters.binary_data_size)).toEqual([24, 32]);
    expectClose(floats(body.subarray(end, end + 24)), probabilities(values));
  });

  it.each<[string, unknown, Record<string, string>, number, RegExp]>([
    ['no JSON', Buffer.from('{'), {}, 400, /not JSON/],
    ['no inputs', {}, {}, 400, /inputs/],
    ['words', jsonRequest(['a']), {}, 400, /inputs\.features\.data: "a" is no number/],
    ['a wrong number of values', jsonRequest([1, 2]), {}, 400, /there are 2 values/],
    ['a binary size beyond the body', jsonRequest(undefined, { inputs: [{ name: 'features', datatype: 'FP32', shape: [1, 1, 4], parameters: { binary_data_size: 16 } }] }), {}, 400, /0 bytes are left/],
    ['a header length beyond the body', jsonRequest([]), { 'inference-header-content-length': '9999' }, 400, /inference-header-content-length/],
    ['a timeout that has passed', jsonRequest([...rowsOf(2, 4)], { parameters: { timeout: 1e-3 } }), {}, 504, /before inference began/],
    ['a body beyond the limit', new Uint8Array(17 * 1024 * 1024), {}, 413, /larger than 16777216 bytes/],
  ])('refuses %s', async (_, body, headers, code, message) => {
    const response = await post('/models/toy-diagnosis/infer', body, headers);
    expect([response.status, await response.json()]).toEqual([code, { error: expect.stringMatching(message) }]);
  });

  it('refuses more rows than may wait', async () => {
    const response = await post('/models/toy-diagnosis/infer', { inputs: [{ name: 'features', datatype: 'FP32', shape: [9000, 1, 4], data: [...rowsOf(9000, 4)] }] });
    expect(response.status).toBe(429);
  });
});
