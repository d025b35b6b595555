import type { Scaler } from './scaler.js';

/** Windows of feature vectors as models with a history see them. */
export interface Windows {
  /** Names of the columns of a step. */
  readonly features: readonly string[];
  /** Steps of a window, the last one the present. */
  readonly history: number;
  /** [rows, history, features], raw; NaN where there is no value. */
  readonly values: Float32Array;
  readonly rows: number;
}

/** The windows with these indices, in that order. */
export function takeWindows({ features, history, values }: Windows, rows: ArrayLike<number>): Windows {
  const width = history * features.length;
  const taken = new Float32Array(rows.length * width);
  for (let i = 0; i < rows.length; i++) taken.set(values.subarray(rows[i]! * width, (rows[i]! + 1) * width), i * width);
  return { features, history, values: taken, rows: rows.length };
}

/**
 * Scaled windows, [rows, history, features]. Every step is rounded to float32, as the graph of `addScaler` does it, so that what
 * is learnt from these values is what the graph will see, to the last bit.
 */
export function scaleWindows({ features, values }: Windows, { impute, mean, std, clip }: Scaler): Float32Array {
  const width = features.length;
  const scaled = new Float32Array(values.length);
  for (let i = 0; i < scaled.length; i++) {
    const column = i % width;
    const raw = values[i]!;
    const centred = Math.fround((Number.isNaN(raw) ? Math.fround(impute[column]!) : raw) - Math.fround(mean[column]!));
    scaled[i] = Math.max(-clip, Math.min(clip, centred / Math.fround(std[column]!)));
  }
  return scaled;
}

/** Nearest whole number, halves to the even one, as ONNX rounds. */
export function roundHalfEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
