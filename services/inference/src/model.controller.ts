import type { UntypedHandleCall } from '@grpc/grpc-js';
import type { ListModelsRequest, ListModelsResponse, ModelServiceServer } from '@millwright/contracts';
import type { InferenceEngine } from '@millwright/models';
import { unary } from '@millwright/shell';

/** Says which models are loaded. */
export class ModelController implements ModelServiceServer {
  [method: string]: UntypedHandleCall;
  readonly #engine: InferenceEngine;

  constructor(engine: InferenceEngine) {
    this.#engine = engine;
  }

  readonly listModels = unary<ListModelsRequest, ListModelsResponse>(() => ({
    models: this.#engine.packages.map(({ manifest }) => ({
      name: manifest.name,
      version: manifest.version,
      task: manifest.task,
      engine: this.#engine.name,
      device: this.#engine.device,
      labels: manifest.task === 'diagnosis' ? manifest.labels : [],
      kinds: manifest.kinds,
    })),
  }));
}
