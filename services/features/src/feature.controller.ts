import type { UntypedHandleCall } from '@grpc/grpc-js';
import { FeatureVector, type FeatureServiceServer, type GetLatestRequest, type GetLatestResponse, type ListLayoutsRequest, type ListLayoutsResponse } from '@millwright/contracts';
import { suggestion, type Plant } from '@millwright/plant';
import { invalidArgument, notFound, unary } from '@millwright/shell';
import { FeatureExtractor } from '@millwright/signal';
import { partitionFor, taskName, type StateStore } from '@millwright/streams';
import { PROCESSOR } from './features.processor.js';
import { STATE_VERSION, stateCodec } from './state-codec.js';

/** Answers from the plant file and from the read side, which is as old as the last checkpoint. */
export class FeatureController implements FeatureServiceServer {
  [method: string]: UntypedHandleCall;
  readonly #plant: Plant;
  readonly #store: StateStore;
  readonly #partitions: number;
  readonly #layouts: ListLayoutsResponse;

  /** @param partitions of every topic: they say under which task an asset's state is kept */
  constructor(plant: Plant, store: StateStore, partitions: number) {
    this.#plant = plant;
    this.#store = store;
    this.#partitions = partitions;
    this.#layouts = {
      layouts: [...plant.kinds.values()].map((kind) => {
        const { layout, names } = new FeatureExtractor(kind);
        return { id: layout, kind: kind.name, names: [...names] };
      }),
    };
  }

  readonly listLayouts = unary<ListLayoutsRequest, ListLayoutsResponse>(() => this.#layouts);

  readonly getLatest = unary<GetLatestRequest, GetLatestResponse>(async ({ asset }) => {
    if (asset === '') throw invalidArgument([{ field: 'asset', reason: 'REQUIRED', description: 'asset is empty; give the id of an asset of the plant file.' }]);
    if (!this.#plant.assets.has(asset)) throw notFound('ASSET_UNKNOWN', `asset: "${asset}" is not in the plant file of ${this.#plant.name}; ${suggestion(asset, this.#plant.assets.keys())}`);
    const bytes = await this.#store.get(taskName(PROCESSOR, partitionFor(asset, this.#partitions)), asset);
    const latest = bytes === undefined ? undefined : stateCodec.decode(bytes, STATE_VERSION).latest;
    if (latest === undefined) throw notFound('NO_WINDOW', `No window of ${asset} has been published yet; ask again when its first window has closed and a checkpoint was taken.`);
    return { vector: FeatureVector.decode(latest) };
  });
}
