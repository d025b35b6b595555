import type { ServerUnaryCall, UntypedHandleCall } from '@grpc/grpc-js';
import {
  InferTensorContents, ModelInferResponse, ModelInferResponse_InferOutputTensor,
  type GRPCInferenceServiceServer, type InferParameter, type ModelInferRequest,
  type ModelMetadataRequest, type ModelMetadataResponse, type ModelReadyRequest, type ModelReadyResponse,
  type RepositoryIndexRequest, type RepositoryIndexResponse, type RepositoryModelLoadRequest, type RepositoryModelLoadResponse,
  type RepositoryModelUnloadRequest, type RepositoryModelUnloadResponse, type ServerLiveRequest, type ServerLiveResponse,
  type ServerMetadataRequest, type ServerMetadataResponse, type ServerReadyRequest, type ServerReadyResponse,
} from '@millwright/contracts';
import { unary } from '@millwright/shell';
import { refused, type InputTensor, type OutputTensor, type Parameters } from './infer.js';
import type { ModelServer } from './model-server.js';
import { rawFloats, rawOfFloats, rawOfStrings, requireFp32 } from './tensors.js';

/** Open Inference Protocol v2 over gRPC. Answers are raw where the request was, typed otherwise. */
export class OpenInferenceController implements GRPCInferenceServiceServer {
  [method: string]: UntypedHandleCall;
  readonly #server: ModelServer;

  constructor(server: ModelServer) {
    this.#server = server;
  }

  readonly serverLive = unary<ServerLiveRequest, ServerLiveResponse>(() => ({ live: true }));

  readonly serverReady = unary<ServerReadyRequest, ServerReadyResponse>(async () => ({ ready: await this.#server.ready() }));

  readonly modelReady = unary<ModelReadyRequest, ModelReadyResponse>(({ name, version }) => ({ ready: this.#server.modelReady(name, version) }));

  readonly serverMetadata = unary<ServerMetadataRequest, ServerMetadataResponse>(() => this.#server.metadata);

  readonly modelMetadata = unary<ModelMetadataRequest, ModelMetadataResponse>(({ name, version }) => {
    const { versions, inputs, outputs, ...metadata } = this.#server.modelMetadata(name, version);
    const tensors = (all: typeof inputs) => all.map((each) => ({ ...each, shape: [...each.shape] }));
    return { ...metadata, versions: [...versions], inputs: tensors(inputs), outputs: tensors(outputs) };
  });

  readonly modelInfer = unary<ModelInferRequest, ModelInferResponse>(async (request, call) => {
    const raw = request.rawInputContents.length > 0;
    const { model, version, outputs } = await whileThere(call, (signal) =>
      this.#server.infer({
        model: request.modelName,
        version: request.modelVersion,
        parameters: parametersOf(request.parameters),
        inputs: inputsOf(request),
        outputs: request.outputs.map(({ name, parameters }) => ({ name, parameters: parametersOf(parameters) })),
        waitsMs: remainingMs(call),
        signal,
      }),
    );
    return ModelInferResponse.fromPartial({
      modelName: model,
      modelVersion: version,
      id: request.id,
      outputs: outputs.map((output) => outputOf(output, raw)),
      rawOutputContents: raw ? outputs.map((output) => (output.datatype === 'FP32' ? rawOfFloats(output.values) : rawOfStrings(output.values))) : [],
    });
  });

  readonly repositoryIndex = unary<RepositoryIndexRequest, RepositoryIndexResponse>(async ({ ready }) => ({
    models: (await this.#server.repository.index()).filter(({ state }) => !ready || state === 'READY'),
  }));

  readonly repositoryModelLoad = unary<RepositoryModelLoadRequest, RepositoryModelLoadResponse>(async ({ modelName, parameters }) => {
    if (Object.keys(parameters).length > 0) throw refused('parameters', 'UNKNOWN_PARAMETER', 'packages are loaded as they are in the folder; leave the parameters out');
    await this.#server.repository.load(modelName);
    return {};
  });

  /** `unload_dependents`, which Triton's clients send, says nothing here: no model depends on another. */
  readonly repositoryModelUnload = unary<RepositoryModelUnloadRequest, RepositoryModelUnloadResponse>(async ({ modelName }) => {
    await this.#server.repository.unload(modelName);
    return {};
  });
}

function parametersOf(parameters: Readonly<Record<string, InferParameter>>): Parameters {
  return Object.fromEntries(Object.entries(parameters).map(([name, { parameterChoice }]) => [name, parameterChoice?.value]));
}

function inputsOf({ inputs, rawInputContents: raw }: ModelInferRequest): InputTensor[] {
  if (raw.length > 0 && raw.length !== inputs.length) {
    throw refused('raw_input_contents', 'WRONG_SIZE', `there are ${raw.length} for ${inputs.length} inputs; give one for each input, or none`);
  }
  return inputs.map(({ name, datatype, shape, contents }, index) => {
    requireFp32(name, datatype);
    if (raw.length > 0 && contents !== undefined) throw refused(`inputs.${name}.contents`, 'TWICE', 'the values are in raw_input_contents, too; give them once');
    return { name, shape, values: raw.length > 0 ? rawFloats(name, raw[index]!) : Float32Array.from(contents?.fp32Contents ?? []) };
  });
}

function outputOf({ name, datatype, shape, values }: OutputTensor, raw: boolean): ModelInferResponse_InferOutputTensor {
  const tensor = { name, datatype, shape: [...shape] };
  return ModelInferResponse_InferOutputTensor.fromPartial(raw ? tensor : { ...tensor, contents: contentsOf(values) });
}

function contentsOf(values: OutputTensor['values']): InferTensorContents {
  return InferTensorContents.fromPartial(values instanceof Float32Array ? { fp32Contents: [...values] } : { bytesContents: values.map((value) => Buffer.from(value)) });
}

/** Until the deadline that the client gave. */
function remainingMs(call: ServerUnaryCall<unknown, unknown>): number {
  return Math.max(0, Number(call.getDeadline()) - Date.now());
}

/** Does what the caller waits for; the signal aborts when it has gone meanwhile. grpc-js tells of the end of every call as if it were cancelled. */
async function whileThere<T>(call: ServerUnaryCall<unknown, unknown>, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const left = new AbortController();
  const leave = (): void => left.abort(new Error('the caller has gone, or its deadline has passed'));
  call.once('cancelled', leave);
  try {
    return await work(left.signal);
  } finally {
    call.off('cancelled', leave);
  }
}
