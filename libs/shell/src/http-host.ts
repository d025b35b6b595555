import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Inject, Injectable } from '@nestjs/common';
import type { Logger, Telemetry, TextFormat } from '@millwright/observability';
import type { ShellConfig } from './config.js';
import { ProcessorHost } from './processor-host.js';
import { Readiness } from './readiness.js';
import { CONFIG, LOGGER, TELEMETRY } from './tokens.js';

interface Answer {
  readonly code: number;
  readonly type: string;
  readonly body: string;
}

const json = (code: number, value: unknown): Answer => ({ code, type: 'application/json', body: `${JSON.stringify(value)}\n` });

const METRICS_TYPES = {
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
} as const satisfies Record<TextFormat, string>;

/** What operators and their tools ask a process: /livez, /readyz, /metrics, /status. */
@Injectable()
export class HttpHost {
  readonly #server: Server;
  readonly #routes: Readonly<Record<string, (accept: string) => Promise<Answer> | Answer>> = {
    '/livez': () => this.#live(),
    '/readyz': () => this.#ready(),
    '/metrics': (accept) => this.#metrics(accept),
    '/status': () => json(200, this.processors.status()),
  };
  #closing = false;

  constructor(
    @Inject(CONFIG) private readonly config: ShellConfig,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(TELEMETRY) private readonly telemetry: Telemetry,
    @Inject(Readiness) private readonly readiness: Readiness,
    @Inject(ProcessorHost) private readonly processors: ProcessorHost,
  ) {
    this.#server = createServer((request, response) => void this.#answer(request, response));
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

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer({ method = '', url = '', headers }: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#route(method, url, headers.accept ?? '');
    } catch (error) {
      this.logger.error({ err: error, url }, 'an HTTP request failed');
      answer = json(500, { error: `${url} failed; the log has the cause` });
    }
    response.writeHead(answer.code, { 'content-type': answer.type }).end(method === 'HEAD' ? undefined : answer.body);
  }

  #route(method: string, url: string, accept: string): Promise<Answer> | Answer {
    if (method !== 'GET' && method !== 'HEAD') return json(405, { error: 'use GET' });
    const path = url.split('?')[0]!;
    const route = Object.hasOwn(this.#routes, path) ? this.#routes[path] : undefined;
    return route?.(accept) ?? json(404, { error: `there is no ${path}; there are ${Object.keys(this.#routes).join(', ')}` });
  }

  /** Prometheus says by `Accept` that it takes OpenMetrics, which has exemplars. */
  async #metrics(accept: string): Promise<Answer> {
    const format = accept.includes('application/openmetrics-text') ? 'openmetrics' : 'prometheus';
    return { code: 200, type: METRICS_TYPES[format], body: await this.telemetry.metrics(format) };
  }

  #live(): Answer {
    const problem = this.processors.stuck();
    return problem === undefined ? json(200, { live: true }) : json(503, { live: false, problem });
  }

  async #ready(): Promise<Answer> {
    if (this.#closing) return json(503, { ready: false, checks: [{ name: 'shutdown', problem: 'shutting down' }] });
    const checks = await this.readiness.check();
    const ready = checks.every(({ problem }) => problem === undefined);
    return json(ready ? 200 : 503, { ready, checks });
  }
}
