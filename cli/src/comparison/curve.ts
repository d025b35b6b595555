/** How training went: what was measured after each step of it. */
export interface Curve {
  /** "epoch", "tree rounds", "penalty" ... */
  readonly step: string;
  /** "cross-entropy", "loss" ... */
  readonly measure: string;
  readonly points: readonly { readonly at: number; readonly train?: number; readonly validation: number }[];
}

/** What a trainer says when its package is written. */
export interface Trained {
  readonly seconds: number;
  /** What it settled on, in a few words. */
  readonly note: string;
  readonly curve?: Curve;
}
