import type { ServerDuplexStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { IngestionServiceService, type PublishContinuouslyResponse, type PublishResponse } from '@millwright/contracts';
import { bidiStreaming, callTraceparent, clientStreaming, GrpcHost, sent } from '@millwright/shell';
import { BoundedQueue } from './bounded-queue.js';
import { withEncodedRequests } from './encoded-service.js';
import { incoming } from './incoming.js';
import { notTaken } from './intake-error.js';
import type { Receipt } from './intake-lane.js';
import type { Intake } from './intake.js';
import type { EncodedRequest } from './request-wire.js';
import { takeStream } from './take-stream.js';
import { INTAKE } from './tokens.js';

/** Answers of one stream that may wait for the log, or for a client that does not read. */
const MAX_PENDING_ANSWERS = 64;

/** What an answer is made of, when its turn comes. */
type Pending = { readonly request: EncodedRequest; readonly receipt: Receipt } | { readonly error: unknown };

/** IngestionService: measured data from gateways. */
@Injectable()
export class IngestionController implements OnModuleInit {
  constructor(
    @Inject(INTAKE) private readonly intake: Intake,
    @Inject(GrpcHost) private readonly grpc: GrpcHost,
  ) {}

  onModuleInit(): void {
    const handlers: UntypedServiceImplementation = {
      publish: clientStreaming<Buffer, PublishResponse>(async (call) => {
        const { accepted, repeated } = await takeStream(call, this.intake.telemetry, this.grpc.closing);
        return { accepted, repeatedBlocks: repeated };
      }),
      publishContinuously: bidiStreaming<Buffer, PublishContinuouslyResponse>((call) => this.#publishContinuously(call)),
    };
    this.grpc.add(withEncodedRequests(IngestionServiceService), handlers);
  }

  /** Reads on while earlier requests are written; answers in order. */
  async #publishContinuously(call: ServerDuplexStream<Buffer, PublishContinuouslyResponse>): Promise<void> {
    const pending = new BoundedQueue<Pending>(MAX_PENDING_ANSWERS);
    void this.#read(call, pending);
    for await (const next of pending) {
      if ('error' in next) throw next.error;
      if (!(await sent(call, await this.#answer(next)))) return;
    }
  }

  async #read(call: ServerDuplexStream<Buffer, PublishContinuouslyResponse>, pending: BoundedQueue<Pending>): Promise<void> {
    const traceparent = callTraceparent(call.metadata);
    try {
      for await (const request of incoming(call, this.grpc.closing)) {
        const receipt = await this.intake.telemetry.takeEncoded(request.records, traceparent);
        if (!(await pending.room())) return;
        pending.push({ request, receipt });
      }
    } catch (error) {
      pending.push({ error });
    } finally {
      pending.end();
    }
  }

  async #answer({ request, receipt }: { request: EncodedRequest; receipt: Receipt }): Promise<PublishContinuouslyResponse> {
    let outcome;
    try {
      outcome = await receipt.durable;
    } catch {
      // The intake has logged what the log said.
      throw notTaken();
    }
    // In its turn: what came before on this stream is in the log by now.
    const advance = request.advanceToUs === 0 ? [] : this.intake.advance(request.source, request.advanceToUs);
    return { accepted: outcome.accepted, repeatedBlocks: outcome.repeated, refusals: [...receipt.refusals, ...advance] };
  }
}
