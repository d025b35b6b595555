import { setTimeout as delay } from 'node:timers/promises';
import { credentials, status, type ChannelCredentials, type ClientDuplexStream, type ServiceError } from '@grpc/grpc-js';
import {
  IngestionServiceClient, ProductionServiceClient,
  type ProductionRecord, type PublishContinuouslyRequest, type PublishContinuouslyResponse, type Refusal, type SourceStep, type TelemetryBlock,
} from '@millwright/contracts';
import type { RuntimeLogger } from '@millwright/streams';
import { ByteBudget } from './byte-budget.js';

export interface GrpcPublisherOptions {
  /** Of ingestion, host:port. */
  readonly address: string;
  /** For TLS; plain text without it. */
  readonly credentials?: ChannelCredentials;
  /** Stands in the `source` field of what is published, and names who advances event time. */
  readonly source: string;
  readonly logger: RuntimeLogger;
  /** Told of each record that ingestion refuses; the others are not affected. */
  readonly onRefusal: (refusal: Refusal) => void;
  /** Bytes sent that are not acknowledged yet. */
  readonly maxInFlightBytes?: number;
  /** How long ingestion may be away before publishing fails. */
  readonly giveUpMs?: number;
}

type Stream = ClientDuplexStream<PublishContinuouslyRequest, PublishContinuouslyResponse>;

interface Sent {
  readonly request: PublishContinuouslyRequest;
  readonly bytes: number;
}

/** Bytes and records of one request; the server takes 4 MiB and 1024. */
const REQUEST_BYTES = 1024 * 1024;
const REQUEST_RECORDS = 512;
/** Milliseconds between attempts: at first, and at most. */
const RETRY_MS = [50, 2_000] as const;
/** grpc-js connects again at this pace by itself. */
const CHANNEL = { 'grpc.initial_reconnect_backoff_ms': RETRY_MS[0], 'grpc.max_reconnect_backoff_ms': RETRY_MS[1] };
/** What another attempt may mend. */
const TRANSIENT: ReadonlySet<status> = new Set([status.UNAVAILABLE, status.CANCELLED, status.ABORTED, status.INTERNAL, status.UNKNOWN]);

/**
 * Publishes steps of a source over PublishContinuously. When the connection breaks it connects again and sends again
 * what was not acknowledged, in order; ingestion writes nothing twice.
 */
export class GrpcPublisher {
  readonly #options: GrpcPublisherOptions;
  readonly #ingestion: IngestionServiceClient;
  readonly #production: ProductionServiceClient;
  readonly #budget: ByteBudget;
  readonly #giveUpMs: number;
  /** Sent or to be sent, not acknowledged, in order. */
  readonly #unacknowledged: Sent[] = [];
  readonly #failure = Promise.withResolvers<never>();
  #stream: Stream | undefined;
  #attempts = 0;
  /** When ingestion was first found away since its last answer (performance.now()); undefined while all is well. */
  #lostMs: number | undefined;
  /** What was not acknowledged when the connection broke still has to be. */
  #isSendingAgain = false;
  #failed = false;
  #closed = false;
  #drained: (() => void)[] = [];

  constructor(options: GrpcPublisherOptions) {
    this.#options = options;
    this.#budget = new ByteBudget(options.maxInFlightBytes ?? 8 * 1024 * 1024);
    this.#giveUpMs = options.giveUpMs ?? 60_000;
    const channel = options.credentials ?? credentials.createInsecure();
    this.#ingestion = new IngestionServiceClient(options.address, channel, CHANNEL);
    this.#production = new ProductionServiceClient(options.address, channel, CHANNEL);
    // Whoever waits gets it; nobody may be waiting.
    this.#failure.promise.catch(() => undefined);
  }

  /**
   * Sends a step and resolves when there is room for the next (flush waits for the acknowledgement).
   * @throws when ingestion was away for too long, or does not take the stream at all.
   */
  async publish(step: SourceStep): Promise<void> {
    // Before event time passes it.
    if (step.production.length > 0) await this.#recordProduction(step.production);
    for (const sent of requests(this.#options.source, step)) {
      await Promise.race([this.#budget.acquire(sent.bytes), this.#failure.promise]);
      this.#unacknowledged.push(sent);
      if (this.#stream !== undefined) this.#stream.write(sent.request);
      else if (this.#lostMs === undefined) this.#connect();
    }
  }

  /** Resolves when everything is acknowledged: the log has it. */
  async flush(): Promise<void> {
    if (this.#unacknowledged.length === 0 && !this.#failed) return;
    await Promise.race([new Promise<void>((resolve) => this.#drained.push(resolve)), this.#failure.promise]);
  }

  /** Ends the connection; what is not acknowledged by then may be lost, so flush first. */
  close(): void {
    this.#closed = true;
    this.#stream?.end();
    this.#ingestion.close();
    this.#production.close();
  }

  #connect(): void {
    const stream = this.#ingestion.publishContinuously();
    this.#stream = stream;
    stream.on('data', (response: PublishContinuouslyResponse) => this.#acknowledged(response));
    stream.on('error', (error: ServiceError) => {
      if (stream === this.#stream) void this.#lost(error);
    });
    for (const { request } of this.#unacknowledged) stream.write(request);
  }

  #acknowledged({ refusals }: PublishContinuouslyResponse): void {
    this.#attempts = 0;
    this.#lostMs = undefined;
    const sent = this.#unacknowledged.shift();
    if (sent === undefined) return;
    this.#budget.release(sent.bytes);
    for (const refusal of refusals) this.#options.onRefusal(refusal);
    if (this.#unacknowledged.length > 0) return;
    this.#isSendingAgain = false;
    for (const resolve of this.#drained.splice(0)) resolve();
  }

  async #lost(error: ServiceError): Promise<void> {
    this.#stream = undefined;
    // With nothing to send again, the next step connects.
    if (this.#closed || this.#unacknowledged.length === 0) return;
    this.#isSendingAgain = true;
    this.#lostMs ??= performance.now();
    if (!TRANSIENT.has(error.code) || performance.now() - this.#lostMs > this.#giveUpMs) return this.#fail(error);
    await this.#pause(this.#attempts++, error);
    if (!this.#closed) this.#connect();
  }

  async #recordProduction(records: readonly ProductionRecord[]): Promise<void> {
    const started = performance.now();
    for (let attempt = 0; ; attempt++) {
      // An ingestion that has just started would take the source to be as far as these, and the telemetry before them for late.
      if (this.#isSendingAgain && !this.#failed) await this.flush();
      try {
        await new Promise<void>((resolve, reject) => {
          const call = this.#production.recordProduction((error) => (error === null ? resolve() : reject(error)));
          for (let i = 0; i < records.length; i += REQUEST_RECORDS) call.write({ records: records.slice(i, i + REQUEST_RECORDS) });
          call.end();
        });
        return;
      } catch (error) {
        if (!TRANSIENT.has((error as ServiceError).code) || performance.now() - started > this.#giveUpMs) throw error;
        await this.#pause(attempt, error as ServiceError);
      }
    }
  }

  async #pause(attempt: number, error: ServiceError): Promise<void> {
    this.#options.logger.warn({ err: error, unacknowledged: this.#unacknowledged.length }, 'ingestion does not answer; sending again what was not acknowledged');
    await delay(Math.min(RETRY_MS[0] * 2 ** attempt, RETRY_MS[1]));
  }

  #fail(error: Error): void {
    this.#failed = true;
    this.#failure.reject(new Error(`publishing to ${this.#options.address} failed with ${this.#unacknowledged.length} requests unacknowledged: ${error.message}`, { cause: error }));
  }
}

/** A step as requests of bounded size; the last one advances event time. */
function* requests(source: string, { blocks, advanceToUs }: SourceStep): Generator<Sent> {
  let some: TelemetryBlock[] = [];
  let bytes = 0;
  for (const block of blocks) {
    const size = sizeOf(block);
    if (some.length > 0 && (bytes + size > REQUEST_BYTES || some.length === REQUEST_RECORDS)) {
      yield { request: { blocks: some, advanceToUs: 0, source: '' }, bytes };
      some = [];
      bytes = 0;
    }
    some.push(block);
    bytes += size;
  }
  yield { request: { blocks: some, advanceToUs, source }, bytes };
}

/** About what the block takes encoded. */
function sizeOf({ offsetsUs, signals }: TelemetryBlock): number {
  return signals.reduce((sum, signal) => sum + signal.values.length + 64, offsetsUs.length + 128);
}
