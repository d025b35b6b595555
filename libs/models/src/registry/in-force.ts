import { createHash } from 'node:crypto';
import { emptyHistory, inProduction, recorded, type Change, type ModelHistory } from './history.js';

/** Which versions judge what ends at some time. */
export interface InForce {
  /** Undefined: what is in production without the registry, the package beside the plant file. */
  readonly production: string | undefined;
  readonly canary: { readonly version: string; readonly share: number } | undefined;
  /** In the order of registration. */
  readonly shadows: readonly string[];
}

const NOTHING: InForce = { production: undefined, canary: undefined, shadows: [] };

/** What was in force when, of one model. */
export class Timeline {
  readonly history: ModelHistory;
  /** Oldest first; each holds until the next. */
  readonly #spans: readonly { readonly fromUs: number; readonly inForce: InForce }[];

  private constructor(history: ModelHistory, spans: readonly { readonly fromUs: number; readonly inForce: InForce }[]) {
    this.history = history;
    this.#spans = spans;
  }

  static empty(name: string): Timeline {
    return new Timeline(emptyHistory(name), []);
  }

  /**
   * With one change more.
   * @throws RegistryError where it is not possible
   */
  with(change: Change): Timeline {
    const history = recorded(this.history, change);
    return new Timeline(history, [...this.#spans, { fromUs: change.effectiveUs, inForce: inForce(history) }]);
  }

  /** What judges a window that ends at `endUs`: a change holds for what ends later than its effective time. */
  at(endUs: number): InForce {
    for (let i = this.#spans.length - 1; i >= 0; i--) if (this.#spans[i]!.fromUs < endUs) return this.#spans[i]!.inForce;
    return NOTHING;
  }
}

function inForce(history: ModelHistory): InForce {
  const versions = [...history.versions.values()];
  const canary = versions.find(({ stage }) => stage === 'canary');
  return {
    production: inProduction(history),
    canary: canary === undefined ? undefined : { version: canary.version, share: canary.share },
    shadows: versions.filter(({ stage }) => stage === 'shadow').map(({ version }) => version),
  };
}

/** The change that put in production what was there at event time `timeUs`; undefined where the registry had put nothing there. */
export function productionChangeAt({ name, changes }: ModelHistory, timeUs: number): Change | undefined {
  let history = emptyHistory(name);
  let found: Change | undefined;
  for (const change of changes) {
    if (change.effectiveUs >= timeUs) break;
    history = recorded(history, change);
    if (change.stage === 'production') found = change;
  }
  return found;
}

/**
 * Whether an asset is among the share that the canary of a model judges: by the first 32 bits of the SHA-256 of "<model>/<asset>", as a
 * number in [0, 1). The same assets for every version, and a larger share holds all of a smaller one.
 */
export function isCanaryAsset(model: string, asset: string, share: number): boolean {
  return createHash('sha256').update(`${model}/${asset}`).digest().readUInt32BE(0) / 2 ** 32 < share;
}
