import type { StateCodec } from '@millwright/streams';

export const STATE_VERSION = 1;

/** What was counted of one model in the present span. */
export interface Track {
  /** Version whose profile it is counted by; another begins anew. */
  readonly version: string;
  /** Number of the span since the epoch. */
  span: number;
  /** Windows counted. */
  rows: number;
  /** By bin of each quantity, the last bin of each for those without a value. */
  readonly counts: number[];
  /** Whether the last span that was judged had drifted. */
  drifted: boolean;
}

/** What is remembered of an asset, by model. What comes of features and what comes of judgements is kept apart. */
export interface DriftState {
  readonly inputs: Map<string, Track>;
  readonly predictions: Map<string, Track>;
}

/** As JSON. */
export const stateCodec: StateCodec<DriftState> = {
  encode: ({ inputs, predictions }) => new TextEncoder().encode(JSON.stringify({ inputs: [...inputs], predictions: [...predictions] })),
  decode(bytes, version) {
    if (version !== STATE_VERSION) throw new Error(`drift state: version ${version} is not ${STATE_VERSION}, the one known here: run the release that wrote it, or drop the checkpoint to rebuild it from the log`);
    const { inputs, predictions } = JSON.parse(new TextDecoder().decode(bytes)) as Record<'inputs' | 'predictions', [string, Track][]>;
    return { inputs: new Map(inputs), predictions: new Map(predictions) };
  },
};
