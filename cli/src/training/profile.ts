import type { Manifest } from '@millwright/models';
import { profileOf, type ProfileOptions } from '@millwright/quality';

export type ManifestProfile = NonNullable<Manifest['profile']>;

/** What a model saw, and what it says, of windows in time order within each run. */
export interface Seen {
  /** Windows that it was fitted on: [rows, features], of each the present step, in the precision of the graph's input. */
  readonly inputs: Float32Array;
  readonly features: number;
  /** Number of each row's block, as `blocksOf` gives them. */
  readonly blocks: ArrayLike<number>;
  /** What it says, of windows with blocks of their own. */
  readonly said: Said;
}

export interface Said {
  /** The value, the score, or of a diagnosis the probability of good health. */
  readonly values: readonly number[];
  readonly blocks: readonly number[];
}

/** Windows of one machine that are looked at as one when it is asked what a machine shows by itself. */
const BLOCK_ROWS = 100;
/** Differences of a probability that nobody acts on. */
const PROBABILITY_RESOLUTION = 0.01;

/** What drift is measured from, as manifests have it. */
export function modelProfile(task: Manifest['task'], { inputs, features, blocks, said }: Seen): ManifestProfile {
  const rows = inputs.length / features;
  const column = (feature: number): Float32Array => Float32Array.from({ length: rows }, (_, row) => inputs[row * features + feature]!);
  return {
    inputs: Array.from({ length: features }, (_, feature) => plain(column(feature), { blocks })),
    prediction: plain(said.values, { blocks: said.blocks, resolution: task === 'diagnosis' ? PROBABILITY_RESOLUTION : 0 }),
  };
}

function plain(values: ArrayLike<number>, options: ProfileOptions): ManifestProfile['prediction'] {
  const { edges, counts, missing, limit } = profileOf(values, options);
  return { edges: [...edges], counts: [...counts], missing, limit };
}

/**
 * Number of each row's block: rows that follow one another in one run and state, at most BLOCK_ROWS of them.
 * @param groups by row; rows that follow one another and have the same in each are of one run and state
 */
export function blocksOf(rows: number, ...groups: readonly ArrayLike<number>[]): Int32Array {
  const blocks = new Int32Array(rows);
  let length = 0;
  for (let row = 1; row < rows; row++) {
    const goesOn = groups.every((group) => group[row] === group[row - 1]) && length + 1 < BLOCK_ROWS;
    length = goesOn ? length + 1 : 0;
    blocks[row] = blocks[row - 1]! + (goesOn ? 0 : 1);
  }
  return blocks;
}

/**
 * The probability of good health in the rows where it is the highest: elsewhere there is a fault that the model knows, which is no drift.
 * @param probabilities [rows, classes]
 * @param healthy the class of good health
 */
export function saidOfHealth(probabilities: ArrayLike<number>, classes: number, healthy: number, blocks: ArrayLike<number>): Said {
  const said = Array.from({ length: blocks.length }, (_, row) => ({ row, own: probabilities[row * classes + healthy]! })).filter(({ row, own }) => {
    for (let each = 0; each < classes; each++) if (probabilities[row * classes + each]! > own) return false;
    return true;
  });
  return { values: said.map(({ own }) => own), blocks: said.map(({ row }) => blocks[row]!) };
}
