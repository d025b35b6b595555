import type { InferenceScheduler } from '@millwright/models';
import type { Readiness } from '@millwright/shell';
import { infer, type InferRequest, type InferResponse } from './infer.js';
import { modelMetadata, SERVER, type ModelMetadata } from './metadata.js';
import type { ModelRepository } from './repository.js';

/** What the Open Inference Protocol offers, whatever it comes over. */
export class ModelServer {
  readonly metadata = SERVER;

  constructor(
    readonly repository: ModelRepository,
    private readonly scheduler: InferenceScheduler,
    private readonly engine: string,
    private readonly readiness: Readiness,
  ) {}

  /** Whether the process takes work. */
  async ready(): Promise<boolean> {
    return (await this.readiness.check()).every(({ problem }) => problem === undefined);
  }

  modelReady(name: string, version: string): boolean {
    return this.repository.versions(name).some(({ manifest }) => version === '' || manifest.version === version);
  }

  /** @throws RpcError NOT_FOUND, UNAVAILABLE */
  modelMetadata(name: string, version: string): ModelMetadata {
    return modelMetadata(this.repository.find(name, version), this.repository.versions(name), this.engine);
  }

  /** See infer. */
  infer(request: InferRequest): Promise<InferResponse> {
    return infer(this.repository, this.scheduler, request);
  }
}
