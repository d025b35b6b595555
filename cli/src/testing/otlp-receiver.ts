import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BinaryReader } from '@bufbuild/protobuf/wire';

/** A span as it was received. */
export interface ReceivedSpan {
  readonly service: string;
  readonly name: string;
  /** OpenTelemetry's number on the wire: 2 server, 4 producer, 5 consumer. */
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty at the root of a trace. */
  readonly parentSpanId: string;
  readonly attributes: ReadonlyMap<string, string | number>;
}

export interface OtlpReceiver {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly endpoint: string;
  /** All spans so far. */
  readonly spans: readonly ReceivedSpan[];
  close(): void;
}

/** Receives traces as a collector does: OTLP over HTTP, protobuf. */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
      if (request.url === '/v1/traces') for (const [, resourceSpans] of fields(Buffer.concat(chunks))) spans.push(...spansOf(resourceSpans as Uint8Array));
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spans, close: () => server.close().closeAllConnections() };
}

/** Fields of a message by number, undecoded: bytes of what is delimited, numbers of the rest. See opentelemetry/proto/trace/v1/trace.proto. */
function fields(message: Uint8Array): [number, Uint8Array | number][] {
  const reader = new BinaryReader(message);
  const found: [number, Uint8Array | number][] = [];
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag();
    if (wire === 2) found.push([number, reader.bytes()]);
    else if (wire === 0) found.push([number, Number(reader.int64())]);
    else reader.skip(wire, number);
  }
  return found;
}

const all = (message: Uint8Array, number: number): Uint8Array[] => fields(message).flatMap(([each, value]) => (each === number ? [value as Uint8Array] : []));
const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');
const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

function attributes(message: Uint8Array, number: number): Map<string, string | number> {
  return new Map(
    all(message, number).map((pair) => {
      const [key, value] = [all(pair, 1)[0], all(pair, 2)[0]];
      const [, any] = fields(value ?? new Uint8Array())[0] ?? [0, ''];
      return [text(key), typeof any === 'object' ? text(any) : any];
    }),
  );
}

function spansOf(resourceSpans: Uint8Array): ReceivedSpan[] {
  const resource = attributes(all(resourceSpans, 1)[0] ?? new Uint8Array(), 1);
  return all(resourceSpans, 2)
    .flatMap((scopeSpans) => all(scopeSpans, 2))
    .map((span) => ({
      service: String(resource.get('service.name')),
      name: text(all(span, 5)[0]),
      kind: fields(span).find(([number]) => number === 6)![1] as number,
      traceId: hex(all(span, 1)[0]),
      spanId: hex(all(span, 2)[0]),
      parentSpanId: hex(all(span, 4)[0]),
      attributes: attributes(span, 9),
    }));
}
