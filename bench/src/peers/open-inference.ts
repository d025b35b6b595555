import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** Flag of compression and length, before each message. */
const PREFIX_BYTES = 5;

/**
 * Client of an Open Inference Protocol v2 server (`inference.GRPCInferenceService`) for one model with one input and one output of float32, raw
 * both ways. It speaks gRPC by Node's HTTP/2 itself: who makes load is not to need as much of the machine as the servers under test, and
 * the client of grpc-js does.
 */
export class OpenInferenceClient {
  #session: ClientHttp2Session | undefined;

  constructor(
    private readonly address: string,
    private readonly model: string,
    private readonly input: string,
  ) {}

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
    this.#session?.close();
  }

  /** The connection; a new one where there is none, or none any more. */
  #connected(): ClientHttp2Session {
    if (this.#session === undefined || this.#session.closed || this.#session.destroyed) {
      // What goes wrong with it is told by the calls on it.
      this.#session = connect(`http://${this.address}`).on('error', () => undefined);
    }
    return this.#session;
  }

  /** @throws Error with the status of the call where that is not OK. */
  #call<T>(method: string, message: Uint8Array, read: (bytes: Uint8Array) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const stream = this.#connected().request(headersOf(method), { endStream: false });
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.once('trailers', (trailers) => {
        if (trailers['grpc-status'] !== '0') reject(new Error(`${method}: gRPC status ${String(trailers['grpc-status'])} ${String(trailers['grpc-message'])}`));
      });
      // An answer without a message has its status among the headers, and no trailers.
      stream.once('end', () => (chunks.length > 0 ? resolve(read(Buffer.concat(chunks).subarray(PREFIX_BYTES))) : reject(new Error(`${method}: no answer`))));
      stream.once('error', reject);
      send(stream, message);
    });
  }
}

const headersOf = (method: string): Record<string, string> => ({
  [constants.HTTP2_HEADER_METHOD]: 'POST',
  [constants.HTTP2_HEADER_PATH]: `/inference.GRPCInferenceService/${method}`,
  [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
  [constants.HTTP2_HEADER_TE]: 'trailers',
});

function send(stream: ClientHttp2Stream, message: Uint8Array): void {
  const framed = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, PREFIX_BYTES);
  stream.end(framed);
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
