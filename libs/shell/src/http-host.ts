import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Inject, Injectable } from '@nestjs/common';
import type { Logger, Telemetry, TextFormat } from '@millwright/observability';
import type { ShellConfig } from './config.js';
import { ProcessorHost } from './processor-host.js';
import { Readiness } from './readiness.js';
import { CONFIG, LOGGER, TELEMETRY } from './tokens.js';

/** A request under a prefix that a service has added, whole. */
export interface HttpRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Aborts when the client leaves. */
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly code: number;
  /** Content type. */
  readonly type: string;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

export type HttpHandler = (request: HttpRequest) => Promise<HttpAnswer> | HttpAnswer;

/** Largest body taken, as of gRPC messages. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

export const json = (code: number, value: unknown): HttpAnswer => ({ code, type: 'application/json', body: `${JSON.stringify(value)}\n` });

const METRICS_TYPES = {
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
} as const satisfies Record<TextFormat, string>;

/** What operators and their tools ask a process: /livez, /readyz, /metrics, /status; and what services add. */
@Injectable()
export class HttpHost {
  readonly #server: Server;
  readonly #routes: Readonly<Record<string, (accept: string) => Promise<HttpAnswer> | HttpAnswer>> = {
    '/livez': () => this.#live(),
    '/readyz': () => this.#ready(),
    '/metrics': (accept) => this.#metrics(accept),
    '/status': () => json(200, this.processors.status()),
  };
  readonly #added = new Map<string, HttpHandler>();
  readonly #open = new Set<Promise<void>>();
  #closing = false;

  constructor(
    @Inject(CONFIG) private readonly config: ShellConfig,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(TELEMETRY) private readonly telemetry: Telemetry,
    @Inject(Readiness) private readonly readiness: Readiness,
    @Inject(ProcessorHost) private readonly processors: ProcessorHost,
  ) {
    this.#server = createServer((request, response) => {
      const answered: Promise<void> = this.#answer(request, response).finally(() => this.#open.delete(answered));
      this.#open.add(answered);
    });
  }

  /** To be called in onModuleInit: `handler` answers for `prefix` ("/v2") and all paths under it. What it throws is answered with 500. */
  add(prefix: string, handler: HttpHandler): void {
    this.#added.set(prefix, handler);
  }

  /** Listens. Returns host and port. */
  async start(): Promise<string> {
    const { host, httpPort } = this.config;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error) => reject(new Error(`HTTP can't listen on ${host}:${httpPort} (${error.message}); set HTTP_PORT to a free port, or 0 for any`)));
      this.#server.listen(httpPort, host, resolve);
    });
    this.#server.on('error', (error) => this.logger.error({ err: error }, 'the HTTP server failed'));
    return `${host}:${(this.#server.address() as AddressInfo).port}`;
  }

  /** From now on /readyz says no, so that no more work is sent here. */
  drain(): void {
    this.#closing = true;
  }

  /** Lets what is being answered end for the configured time. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    const timer = setTimeout(() => this.#server.closeAllConnections(), this.config.shutdownMs);
    await Promise.all(this.#open);
    clearTimeout(timer);
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { url = '' } = request;
    let answer: HttpAnswer | undefined;
    try {
      answer = await this.#route(request, response);
    } catch (error) {
      this.logger.error({ err: error, url }, 'an HTTP request failed');
      answer = json(500, { error: `${url} failed; the log has the cause` });
    }
    if (answer === undefined) return;
    const { code, type, body, headers } = answer;
    response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(body), ...headers }).end(request.method === 'HEAD' ? undefined : body);
  }

  /** Undefined where the client has left. */
  async #route(request: IncomingMessage, response: ServerResponse): Promise<HttpAnswer | undefined> {
    const { method = '', url = '', headers } = request;
    const path = url.split('?')[0]!;
    for (const [prefix, handler] of this.#added) {
      if (path === prefix || path.startsWith(`${prefix}/`)) return served(handler, path, request, response);
    }
    if (method !== 'GET' && method !== 'HEAD') return json(405, { error: 'use GET' });
    const route = Object.hasOwn(this.#routes, path) ? this.#routes[path] : undefined;
    return route?.(headers.accept ?? '') ?? json(404, { error: `there is no ${path}; there are ${[...Object.keys(this.#routes), ...this.#added.keys()].join(', ')}` });
  }

  /** Prometheus says by `Accept` that it takes OpenMetrics, which has exemplars. */
  async #metrics(accept: string): Promise<HttpAnswer> {
    const format = accept.includes('application/openmetrics-text') ? 'openmetrics' : 'prometheus';
    return { code: 200, type: METRICS_TYPES[format], body: await this.telemetry.metrics(format) };
  }

  #live(): HttpAnswer {
    const problem = this.processors.stuck();
    return problem === undefined ? json(200, { live: true }) : json(503, { live: false, problem });
  }

  async #ready(): Promise<HttpAnswer> {
    if (this.#closing) return json(503, { ready: false, checks: [{ name: 'shutdown', problem: 'shutting down' }] });
    const checks = await this.readiness.check();
    const ready = checks.every(({ problem }) => problem === undefined);
    return json(ready ? 200 : 503, { ready, checks });
  }
}

async function served(handler: HttpHandler, path: string, request: IncomingMessage, response: ServerResponse): Promise<HttpAnswer | undefined> {
  const left = new AbortController();
  response.once('close', () => left.abort(new Error('the client has left')));
  const body = await bodyOf(request);
  if (body === 'left') return undefined;
  if (body === 'too large') {
    return { ...json(413, { error: `the body is larger than ${MAX_BODY_BYTES} bytes; send it in parts` }), headers: { connection: 'close' } };
  }
  try {
    return await handler({ method: request.method ?? '', path, headers: request.headers, body, signal: left.signal });
  } catch (error) {
    if (left.signal.aborted) return undefined;
    throw error;
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer | 'too large' | 'left'> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return 'too large';
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_BODY_BYTES) return 'too large';
      chunks.push(chunk);
    }
  } catch {
    // Of a request there is one reason not to get the rest: the connection has ended.
    return 'left';
  }
  return Buffer.concat(chunks);
}
