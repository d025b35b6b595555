/** Windows of one asset that one model still needs, oldest first, with the features that it looks at. */
export interface History {
  readonly windows: HistoryWindow[];
  /** Settles when all windows that were given to a model which is filtered over time have been judged: before the next batch, and so before any checkpoint. */
  judging?: Promise<void>;
}

export interface HistoryWindow {
  readonly startUs: number;
  /** In the order of the model's input. */
  readonly features: Float32Array;
  /** Probability of each label after the window, once it has been judged by a model that is filtered over time. */
  belief?: Float64Array;
}

/** Puts a window in its place, or in the place of its earlier revision, and forgets what is beyond `keep`. */
export function remember(history: History, window: HistoryWindow, keep: number): void {
  const { windows } = history;
  let at = windows.length;
  while (at > 0 && windows[at - 1]!.startUs >= window.startUs) at--;
  const replaces = windows[at]?.startUs === window.startUs;
  windows.splice(at, replaces ? 1 : 0, window);
  if (windows.length > keep) windows.splice(0, windows.length - keep);
}

/**
 * Input of the judgement of the window that starts at `startUs`: that window and the `length - 1` before it, oldest
 * first, without a gap; undefined where they are not all there.
 */
export function inputOf(history: History, startUs: number, length: number, hopUs: number): Float32Array | undefined {
  const { windows } = history;
  const last = windows.findLastIndex((window) => window.startUs === startUs);
  if (last < length - 1) return undefined;
  const width = windows[last]!.features.length;
  const input = new Float32Array(length * width);
  for (let step = 0; step < length; step++) {
    const window = windows[last - length + 1 + step]!;
    if (window.startUs !== startUs - (length - 1 - step) * hopUs) return undefined;
    input.set(window.features, step * width);
  }
  return input;
}
