import { credentials, Client, type ServiceError } from '@grpc/grpc-js';
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** Client of an Open Inference Protocol v2 server (`inference.GRPCInferenceService`) for one model with one input and one output of float32, raw both ways. */
export class OpenInferenceClient {
  readonly #client: Client;

  constructor(
    address: string,
    private readonly model: string,
    private readonly input: string,
  ) {
    this.#client = new Client(address, credentials.createInsecure());
  }

  /** Runs rows of the given shape; resolves to the values of the output. */
  infer(values: Float32Array, shape: readonly number[]): Promise<Float32Array> {
    return this.#call('ModelInfer', request(this.model, this.input, values, shape), (bytes) => rawOutput(bytes));
  }

  /** Whether the model takes requests. */
  async ready(): Promise<boolean> {
    const name = new BinaryWriter().uint32(field(1, WireType.LengthDelimited)).string(this.model).finish();
    return this.#call('ModelReady', name, (bytes) => bytes.length === 2 && bytes[1] === 1).catch(() => false);
  }

  close(): void {
    this.#client.close();
  }

  #call<T>(method: string, message: Uint8Array, read: (bytes: Uint8Array) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        `/inference.GRPCInferenceService/${method}`, Buffer.from, (bytes: Buffer) => read(bytes), message,
        (error: ServiceError | null, answer?: T) => (error === null ? resolve(answer!) : reject(error)),
      );
    });
  }
}

const field = (number: number, type: WireType): number => (number << 3) | type;
const bytesOf = (values: Float32Array): Uint8Array => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/** ModelInferRequest with raw_input_contents. */
function request(model: string, input: string, values: Float32Array, shape: readonly number[]): Uint8Array {
  const writer = new BinaryWriter();
  writer.uint32(field(1, WireType.LengthDelimited)).string(model);
  writer.uint32(field(5, WireType.LengthDelimited)).fork();
  writer.uint32(field(1, WireType.LengthDelimited)).string(input);
  writer.uint32(field(2, WireType.LengthDelimited)).string('FP32');
  writer.uint32(field(3, WireType.LengthDelimited)).fork();
  for (const size of shape) writer.int64(size);
  writer.join().join();
  writer.uint32(field(7, WireType.LengthDelimited)).bytes(bytesOf(values));
  return writer.finish();
}

/** raw_output_contents of a ModelInferResponse. @throws when the server does not send its output so */
function rawOutput(bytes: Uint8Array): Float32Array {
  const reader = new BinaryReader(bytes);
  let output: Float32Array | undefined;
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (number === 6 && type === WireType.LengthDelimited) output = new Float32Array(new Uint8Array(reader.bytes()).buffer);
    else reader.skip(type);
  }
  if (output === undefined) throw new Error('the answer has no raw_output_contents');
  return output;
}
