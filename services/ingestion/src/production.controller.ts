import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ProductionServiceService, type RecordProductionResponse } from '@millwright/contracts';
import { clientStreaming, GrpcHost } from '@millwright/shell';
import { withEncodedRequests } from './encoded-service.js';
import type { Intake } from './intake.js';
import { takeStream } from './take-stream.js';
import { INTAKE } from './tokens.js';

/** ProductionService: production records from an MES. */
@Injectable()
export class ProductionController implements OnModuleInit {
  constructor(
    @Inject(INTAKE) private readonly intake: Intake,
    @Inject(GrpcHost) private readonly grpc: GrpcHost,
  ) {}

  onModuleInit(): void {
    this.grpc.add(withEncodedRequests(ProductionServiceService), {
      recordProduction: clientStreaming<Buffer, RecordProductionResponse>(async (call) => {
        const { accepted, repeated } = await takeStream(call, this.intake.production, this.grpc.closing);
        return { accepted, repeatedRecords: repeated };
      }),
    });
  }
}
