import {
  experimental, logVerbosity, Metadata, Server, ServerCredentials, ServerInterceptingCall, setLogVerbosity, status,
  type MethodDefinition, type ServerInterceptor, type ServiceDefinition, type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { Inject, Injectable } from '@nestjs/common';
import { ATTRIBUTES, METRICS, parentContext, type Logger, type Telemetry } from '@millwright/observability';
import { HealthImplementation } from 'grpc-health-check';
import type { GrpcTls, ShellConfig } from './config.js';
import { Readiness } from './readiness.js';
import { invalidArgument, RpcError } from './rpc-error.js';
import { CONFIG, LOGGER, TELEMETRY } from './tokens.js';

/** A request that could not be decoded; the interceptor answers it. */
class Malformed {
  constructor(readonly error: Error) {}
}

type Handler = (call: HandlerCall, callback?: HandlerCallback) => unknown;
type HandlerCallback = (error: Error | null, ...rest: unknown[]) => void;
interface HandlerCall {
  readonly cancelled: boolean;
  getPath(): string;
  emit(event: 'error', error: Error): boolean;
}

/** Largest message taken: a block may be 512 KiB, and a request may hold several. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const HEALTH_MS = 2_000;
/** OpenTelemetry's SpanKind. */
const SERVER_SPAN = 1;

// grpc-js writes plain lines to standard error; what it has to say reaches us as errors and statuses, too.
setLogVerbosity(logVerbosity.NONE);

/** The one gRPC server of a process, with health service, metrics, spans and error mapping for all services on it. */
@Injectable()
export class GrpcHost {
  readonly #server: Server;
  readonly #health = new HealthImplementation({ '': 'NOT_SERVING' });
  readonly #services: string[] = [''];
  readonly #closing = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    @Inject(CONFIG) private readonly config: ShellConfig,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(TELEMETRY) telemetry: Telemetry,
    @Inject(Readiness) private readonly readiness: Readiness,
  ) {
    this.#server = new Server({ interceptors: [measured(telemetry), refusingMalformed], 'grpc.max_receive_message_length': MAX_MESSAGE_BYTES });
    this.#health.addToServer(this.#server);
  }

  /** Aborts when the process starts to shut down: calls that would stay open for ever should end. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** To be called in onModuleInit. What handlers throw, at once or later, becomes the status of the call. */
  add<I extends UntypedServiceImplementation>(service: ServiceDefinition<I>, implementation: I): void {
    const methods = Object.entries(service as Record<string, MethodDefinition<unknown, unknown>>);
    const definition = Object.fromEntries(methods.map(([name, method]) => [name, { ...method, requestDeserialize: tolerant(method.requestDeserialize) }]));
    const handlers = Object.fromEntries(methods.map(([name]) => [name, this.#guarded(implementation[name] as Handler)]));
    this.#server.addService(definition, handlers as unknown as UntypedServiceImplementation);
    const path = methods[0]?.[1].path;
    if (path !== undefined) this.#services.push(path.split('/')[1]!);
  }

  /** Listens. Returns host and port. */
  async start(): Promise<string> {
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(`${this.config.host}:${this.config.grpcPort}`, credentialsOf(this.config.grpcTls), (error, bound) => {
        if (error === null) resolve(bound);
        else reject(new Error(`gRPC can't listen on ${this.config.host}:${this.config.grpcPort} (${error.message}); set GRPC_PORT to a free port, or 0 for any`));
      });
    });
    await this.#refreshHealth();
    this.#timer = setInterval(() => void this.#refreshHealth(), HEALTH_MS).unref();
    return `${this.config.host}:${port}`;
  }

  /** Takes no new calls, lets open ones end for the configured time, then ends them. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#setHealth('NOT_SERVING');
    this.#closing.abort();
    const done = Promise.withResolvers<void>();
    this.#server.tryShutdown(() => done.resolve());
    const timer = setTimeout(() => this.#server.forceShutdown(), this.config.shutdownMs);
    await done.promise;
    clearTimeout(timer);
  }

  async #refreshHealth(): Promise<void> {
    const results = await this.readiness.check();
    if (this.#closing.signal.aborted) return;
    this.#setHealth(results.every(({ problem }) => problem === undefined) ? 'SERVING' : 'NOT_SERVING');
  }

  #setHealth(value: 'SERVING' | 'NOT_SERVING'): void {
    for (const service of this.#services) this.#health.setStatus(service, value);
  }

  #guarded(handler: Handler): Handler {
    return (call, callback) => {
      const fail = (error: unknown) => {
        if (call.cancelled) return;
        const mapped = this.#mapped(error, call.getPath());
        if (callback === undefined) call.emit('error', mapped);
        else callback(mapped);
      };
      const respond: HandlerCallback | undefined =
        callback === undefined ? undefined : (error, ...rest) => (error === null ? callback(null, ...rest) : fail(error));
      try {
        const result = handler(call, respond);
        if (result instanceof Promise) result.catch(fail);
      } catch (error) {
        fail(error);
      }
    };
  }

  #mapped(error: unknown, path: string): Error {
    if (error instanceof RpcError) return error;
    this.logger.error({ err: error, method: path }, 'a gRPC handler failed');
    return new RpcError(status.INTERNAL, `${path} failed for a reason that is not the request's; the log of the service has the cause.`);
  }
}

/** How often certificate files are read again: issuers renew them days before they run out. */
const CERTIFICATES_MS = 60_000;

/** Certificates are read again as they are renewed; connections that stand go on. */
function credentialsOf(tls: GrpcTls | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const files = new experimental.FileWatcherCertificateProvider({
    certificateFile: tls.cert, privateKeyFile: tls.key, caCertificateFile: tls.ca, refreshIntervalMs: CERTIFICATES_MS,
  });
  return experimental.createCertificateProviderServerCredentials(files, tls.ca === undefined ? null : files, tls.ca !== undefined);
}

function tolerant(deserialize: (bytes: Buffer) => unknown): (bytes: Buffer) => unknown {
  return (bytes) => {
    try {
      return deserialize(bytes);
    } catch (error) {
      return new Malformed(error as Error);
    }
  };
}

/** grpc-js answers INTERNAL to bytes that are no message, which would blame the server. */
const refusingMalformed: ServerInterceptor = (_method, call) => {
  const intercepting: ServerInterceptingCall = new ServerInterceptingCall(call, {
    start: (next) =>
      next({
        onReceiveMessage: (message: unknown, receive) => {
          if (!(message instanceof Malformed)) return receive(message);
          const { code, details, metadata } = invalidArgument([
            { field: '', reason: 'MALFORMED_MESSAGE', description: `The request is not a valid protobuf message (${message.error.message}); encode it by the .proto files of this version.` },
          ]);
          intercepting.sendStatus({ code, details, metadata });
        },
      }),
  });
  return intercepting;
};

/** Duration by method and status, open calls, and a server span whose parent is the client's trace context. */
function measured(telemetry: Telemetry): ServerInterceptor {
  const { tracer, tracing } = telemetry;
  const duration = telemetry.histogram(METRICS.rpcDuration);
  const active = telemetry.upDownCounter(METRICS.rpcActive);
  return (method, call) => {
    const started = performance.now();
    const name = method.path.slice(1);
    const of = { [ATTRIBUTES.rpcSystem]: 'grpc', [ATTRIBUTES.rpcMethod]: name };
    let span: ReturnType<typeof tracer.startSpan> | undefined;
    let over = false;
    active.add(1, of);
    const end = (code: status) => {
      if (over) return;
      over = true;
      active.add(-1, of);
      const attributes = { ...of, [ATTRIBUTES.rpcStatus]: status[code] };
      duration.record((performance.now() - started) / 1000, attributes, span?.spanContext());
      span?.setAttributes(attributes).end();
    };
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, receive) => {
            if (tracing) span = tracer.startSpan(name, { kind: SERVER_SPAN }, parentContext(callTraceparent(metadata)));
            receive(metadata);
          },
          onCancel: () => end(status.CANCELLED),
        }),
      sendStatus: (sending, next) => {
        end(sending.code ?? status.UNKNOWN);
        next(sending);
      },
    });
  };
}

/** The W3C traceparent that the client sent. */
export function callTraceparent(metadata: Metadata): string | undefined {
  return metadata.get('traceparent')[0]?.toString();
}
