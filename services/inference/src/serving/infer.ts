import { DeadlineError, NotLoadedError, QueueFullError, type InferencePriority, type InferenceScheduler, type ModelPackage } from '@millwright/models';
import { deadlineExceeded, invalidArgument, resourceExhausted, RpcError, unavailable } from '@millwright/shell';
import type { ModelRepository } from './repository.js';

/** Parameters of the protocol: of a request or of a tensor. */
export type Parameters = Readonly<Record<string, boolean | number | string | undefined>>;

/** A tensor of a request. */
export interface InputTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** FP32, row by row. */
  readonly values: Float32Array;
}

/** An output that a request asks for. */
export interface RequestedOutput {
  readonly name: string;
  readonly parameters: Parameters;
}

/** ModelInfer, however it came. */
export interface InferRequest {
  readonly model: string;
  /** Empty: the newest loaded. */
  readonly version: string;
  readonly parameters: Parameters;
  readonly inputs: readonly InputTensor[];
  /** Empty: all. */
  readonly outputs: readonly RequestedOutput[];
  /** Milliseconds that the caller waits from now on; Infinity: for ever. */
  readonly waitsMs: number;
  /** Aborts when the caller has gone. */
  readonly signal: AbortSignal;
}

export type OutputTensor = { readonly name: string; readonly shape: readonly number[] } & (
  | { readonly datatype: 'FP32'; readonly values: Float32Array }
  | { readonly datatype: 'BYTES'; readonly values: readonly string[] }
);

export interface InferResponse {
  readonly model: string;
  readonly version: string;
  readonly outputs: readonly OutputTensor[];
}

/** Triton's values of the parameter `priority`: 0 is the default, 1 the highest. */
const HIGHEST_PRIORITY = 1;

/**
 * Runs a request's rows in batches that it shares with others. Each request has one input, FP32 [n, history, features],
 * n at least 1, where the model's own batch does not matter.
 *
 * Parameters of the request: `priority`, "alarm" or 1 to go before others and beside the stream, "analytics", 0 or
 * more than 1 (default) to go after both; `timeout`, microseconds after which rows that wait are dropped. Of a requested
 * output: `classification`, k: instead of values the k highest as "<value>:<index>:<label>" (Triton's classification extension).
 * @throws RpcError NOT_FOUND, UNAVAILABLE, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED
 */
export async function infer(repository: ModelRepository, scheduler: InferenceScheduler, request: InferRequest): Promise<InferResponse> {
  const model = repository.find(request.model, request.version);
  const rows = rowsOf(request.inputs, model);
  const count = rows.length / model.width;
  const outputs = wantedOutputs(request.outputs, model);
  const priority = priorityOf(request.parameters);
  const deadlineMs = Math.min(request.waitsMs, timeoutMs(request.parameters));
  let values: readonly Float32Array[];
  try {
    values = await scheduler.submit(model, rows, { priority, whenFull: 'reject', ...(deadlineMs === Infinity ? {} : { deadlineMs }), signal: request.signal });
  } catch (error) {
    throw statusOf(error);
  }
  return {
    model: model.manifest.name,
    version: model.manifest.version,
    outputs: outputs.map(({ index, classes }) => {
      const { name, width, role } = model.outputs[index]!;
      if (classes === 0) return { name, datatype: 'FP32', shape: [count, width], values: values[index]! };
      const labels = role === 'probabilities' && model.manifest.task === 'diagnosis' ? model.manifest.labels : [];
      return { name, datatype: 'BYTES', shape: [count, classes], values: highest(values[index]!, width, classes, labels) };
    }),
  };
}

function statusOf(error: unknown): unknown {
  if (error instanceof QueueFullError) return resourceExhausted('QUEUE_FULL', error.message);
  if (error instanceof DeadlineError) return deadlineExceeded('DEADLINE_PASSED', error.message);
  if (error instanceof NotLoadedError) return unavailable('MODEL_NOT_LOADED', error.message);
  return error;
}

function rowsOf(inputs: readonly InputTensor[], { manifest, width }: ModelPackage): Float32Array {
  const { name, history, features } = manifest.input;
  const input = inputs.find((each) => each.name === name);
  if (input === undefined) {
    throw refused('inputs', 'MISSING_INPUT', `Model ${manifest.name} needs the input "${name}", FP32 [-1, ${history}, ${features.length}]`);
  }
  const other = inputs.find((each) => each !== input);
  if (other !== undefined) throw refused(`inputs.${other.name}`, 'UNKNOWN_INPUT', `model ${manifest.name} has the one input "${name}"; leave the others out`);
  const { shape, values } = input;
  const [rows] = shape;
  if (shape.length !== 3 || rows === undefined || rows < 1 || shape[1] !== history || shape[2] !== features.length) {
    throw refused(`inputs.${name}`, 'WRONG_SHAPE', `the shape is [${shape.join(', ')}], and model ${manifest.name} takes [n, ${history}, ${features.length}], n at least 1`);
  }
  if (values.length !== rows * width) {
    throw refused(`inputs.${name}`, 'WRONG_SIZE', `there are ${values.length} values, and the shape [${shape.join(', ')}] has ${rows * width}`);
  }
  return values;
}

function wantedOutputs(wanted: readonly RequestedOutput[], { outputs, manifest }: ModelPackage): { readonly index: number; readonly classes: number }[] {
  if (wanted.length === 0) return outputs.map((_, index) => ({ index, classes: 0 }));
  return wanted.map(({ name, parameters: { classification = 0 } }) => {
    const index = outputs.findIndex((each) => each.name === name);
    if (index < 0) throw refused(`outputs.${name}`, 'UNKNOWN_OUTPUT', `model ${manifest.name} has the outputs ${outputs.map((each) => each.name).join(', ')}`);
    const { width } = outputs[index]!;
    if (typeof classification !== 'number' || !Number.isInteger(classification) || classification < 0) {
      throw refused(`outputs.${name}.parameters.classification`, 'WRONG_PARAMETER', 'give the number of classes, a whole number');
    }
    return { index, classes: Math.min(classification, width) };
  });
}

function priorityOf({ priority = 'analytics' }: Parameters): InferencePriority {
  if (priority === 'alarm' || priority === 'analytics') return priority;
  if (typeof priority === 'number') return priority === HIGHEST_PRIORITY ? 'alarm' : 'analytics';
  throw refused('parameters.priority', 'WRONG_PARAMETER', 'give "alarm" or "analytics", or 1 or 0');
}

/** Infinity where there is none. */
function timeoutMs({ timeout = 0 }: Parameters): number {
  if (typeof timeout !== 'number' || !(timeout >= 0)) throw refused('parameters.timeout', 'WRONG_PARAMETER', 'give microseconds, or 0 for no timeout');
  return timeout === 0 ? Infinity : timeout / 1000;
}

/** The highest of each row, first the highest. */
function highest(values: Float32Array, width: number, count: number, labels: readonly string[]): string[] {
  const result: string[] = [];
  for (let at = 0; at < values.length; at += width) {
    const row = values.subarray(at, at + width);
    const order = [...row.keys()].sort((a, b) => row[b]! - row[a]!).slice(0, count);
    for (const index of order) result.push([row[index], index, ...labels.slice(index, index + 1)].join(':'));
  }
  return result;
}

export const refused = (field: string, reason: string, description: string): RpcError => invalidArgument([{ field, reason, description }]);
