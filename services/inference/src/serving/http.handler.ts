import { status } from '@grpc/grpc-js';
import { json, RpcError, type HttpAnswer, type HttpHandler, type HttpRequest } from '@millwright/shell';
import { z } from 'zod';
import { refused, type InputTensor, type OutputTensor, type Parameters } from './infer.js';
import type { ModelServer } from './model-server.js';
import { rawFloats, rawOfFloats, rawOfStrings, requireFp32 } from './tensors.js';

/** HTTP codes by gRPC status (google.rpc.Code). */
const CODES: Readonly<Partial<Record<status, number>>> = {
  [status.INVALID_ARGUMENT]: 400,
  [status.NOT_FOUND]: 404,
  [status.RESOURCE_EXHAUSTED]: 429,
  [status.UNAVAILABLE]: 503,
  [status.DEADLINE_EXCEEDED]: 504,
};

/** Where the JSON of a message ends and binary tensors begin (binary tensor data extension). */
const HEADER_LENGTH = 'inference-header-content-length';

const parameters = z.record(z.string(), z.union([z.boolean(), z.number(), z.string()])).default({});
const inferMessage = z.object({
  id: z.string().default(''),
  parameters,
  inputs: z.array(z.object({ name: z.string(), datatype: z.string(), shape: z.array(z.int()), parameters, data: z.unknown().optional() })),
  outputs: z.array(z.object({ name: z.string(), parameters })).default([]),
});
type InferMessage = z.output<typeof inferMessage>;

/** Open Inference Protocol v2 over HTTP, JSON with the binary tensor data extension. What changes models is over gRPC only, which can ask for certificates. */
export function openInferenceHandler(server: ModelServer): HttpHandler {
  return async (request) => {
    try {
      return await answer(server, request);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      return json(CODES[error.code] ?? 500, { error: error.message });
    }
  };
}

const MODEL = /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?(?:\/(ready|infer))?$/;

async function answer(server: ModelServer, request: HttpRequest): Promise<HttpAnswer> {
  const { method, path } = request;
  const model = MODEL.exec(path);
  const verb = model?.[3];
  const asked = verb === 'infer' ? 'POST' : 'GET';
  if (method !== asked && !(asked === 'GET' && method === 'HEAD')) return { ...json(405, { error: `use ${asked} for ${path}` }), headers: { allow: asked } };
  if (model !== null) {
    const [name, version] = [decoded(model[1]!), decoded(model[2] ?? '')];
    if (verb === 'infer') return inferred(server, name, version, request);
    const metadata = server.modelMetadata(name, version);
    return json(200, verb === 'ready' ? { name, ready: true } : metadata);
  }
  switch (path) {
    case '/v2':
      return json(200, server.metadata);
    case '/v2/health/live':
      return json(200, { live: true });
    case '/v2/health/ready': {
      const ready = await server.ready();
      return json(ready ? 200 : 503, { ready });
    }
    default:
      return json(404, { error: `there is no ${path}; there are /v2, /v2/health/live, /v2/health/ready and /v2/models/<name>[/versions/<version>][/ready|/infer]` });
  }
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw refused('path', 'MALFORMED', `"${segment}" is no percent-encoded name`);
  }
}

async function inferred(server: ModelServer, model: string, version: string, { headers, body, signal }: HttpRequest): Promise<HttpAnswer> {
  if (headers['content-encoding'] !== undefined) throw refused('content-encoding', 'UNSUPPORTED', 'send the body as it is, not compressed');
  const { message, binary } = parse(body, headers[HEADER_LENGTH]);
  const result = await server.infer({ model, version, parameters: message.parameters, inputs: inputsOf(message, binary), outputs: message.outputs, waitsMs: Infinity, signal });
  const allBinary = message.parameters['binary_data_output'] === true;
  const sections: Uint8Array[] = [];
  const outputs = result.outputs.map((output) => {
    const wanted: Parameters = message.outputs.find(({ name }) => name === output.name)?.parameters ?? {};
    return outputOf(output, wanted['binary_data'] === undefined ? allBinary : wanted['binary_data'] === true, sections);
  });
  const text = JSON.stringify({ model_name: result.model, model_version: result.version, ...(message.id === '' ? {} : { id: message.id }), outputs });
  if (sections.length === 0) return { code: 200, type: 'application/json', body: text };
  const head = Buffer.from(text);
  return { code: 200, type: 'application/octet-stream', body: Buffer.concat([head, ...sections]), headers: { [HEADER_LENGTH]: String(head.length) } };
}

function parse(body: Buffer, length: string | string[] | undefined): { message: InferMessage; binary: Buffer } {
  const end = length === undefined ? body.length : Number(length);
  if (!Number.isInteger(end) || end < 0 || end > body.length) throw refused(HEADER_LENGTH, 'MALFORMED', `it is "${String(length)}", and the body has ${body.length} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8', 0, end));
  } catch (error) {
    throw refused('', 'MALFORMED', `The body is not JSON (${(error as Error).message.slice(0, 100)}).`);
  }
  const parsed = inferMessage.safeParse(value);
  if (parsed.success) return { message: parsed.data, binary: body.subarray(end) };
  const issue = parsed.error.issues[0]!;
  throw refused(issue.path.join('.'), 'MALFORMED', issue.message);
}

/** Binary sections follow one another in the order of the inputs. */
function inputsOf({ inputs }: InferMessage, binary: Buffer): InputTensor[] {
  let at = 0;
  const tensors = inputs.map(({ name, datatype, shape, parameters: { binary_data_size: size }, data }) => {
    requireFp32(name, datatype);
    if (size === undefined) return { name, shape, values: jsonFloats(name, data) };
    if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || at + size > binary.length) {
      throw refused(`inputs.${name}`, 'WRONG_SIZE', `binary_data_size is ${size}, and ${binary.length - at} bytes are left after the JSON`);
    }
    return { name, shape, values: rawFloats(name, binary.subarray(at, (at += size))) };
  });
  if (at !== binary.length) throw refused('inputs', 'WRONG_SIZE', `${binary.length - at} bytes after the JSON belong to no input`);
  return tensors;
}

/** Numbers row by row, nested or not; null is no value (NaN), which JSON can't say. */
function jsonFloats(input: string, data: unknown): Float32Array {
  if (!Array.isArray(data)) throw refused(`inputs.${input}.data`, 'MISSING_DATA', 'give an array of numbers, or binary_data_size');
  return Float32Array.from(data.flat(2), (value: unknown) => {
    if (value === null) return NaN;
    if (typeof value !== 'number') throw refused(`inputs.${input}.data`, 'WRONG_DATATYPE', `${JSON.stringify(value)?.slice(0, 40)} is no number`);
    return value;
  });
}

/** Appends to the binary sections where it is to be binary. */
function outputOf(output: OutputTensor, binary: boolean, sections: Uint8Array[]): object {
  const { name, datatype, shape } = output;
  if (!binary) return { name, datatype, shape, data: [...output.values] };
  const bytes = output.datatype === 'FP32' ? rawOfFloats(output.values) : rawOfStrings(output.values);
  sections.push(bytes);
  return { name, datatype, shape, parameters: { binary_data_size: bytes.byteLength } };
}
