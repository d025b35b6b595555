import type { Dataset } from './dataset.js';

/** Preprocessing of one model, fitted on its training data: NaN becomes `impute`, then (x - mean) / std, limited to ±clip. */
export interface Scaler {
  readonly impute: Float64Array;
  readonly mean: Float64Array;
  readonly std: Float64Array;
  readonly clip: number;
}

/**
 * Fits it: mean and standard deviation over the values that are there, and the mean for those that are not. Fitted on
 * normal operation, a scaled value counts the normal deviations from normal, however wild the faults are.
 * A feature that never varies gets std 1, so that it stays 0 in training and large where it moves later.
 */
export function fitScaler(data: Pick<Dataset, 'features'> & { readonly values: ArrayLike<number> }, clip: number): Scaler {
  const width = data.features.length;
  const mean = new Float64Array(width);
  const std = new Float64Array(width);
  for (let column = 0; column < width; column++) {
    // Welford's algorithm (1962): no cancellation where the mean is large beside the spread.
    let count = 0;
    let average = 0;
    let squares = 0;
    for (let i = column; i < data.values.length; i += width) {
      const value = data.values[i]!;
      if (Number.isNaN(value)) continue;
      count++;
      const step = value - average;
      average += step / count;
      squares += step * (value - average);
    }
    const deviation = count > 0 ? Math.sqrt(squares / count) : 0;
    mean[column] = Math.fround(average);
    std[column] = deviation > 1e-6 * Math.max(1e-6, Math.abs(average)) ? Math.fround(deviation) : 1;
  }
  return { impute: mean, mean, std, clip };
}

/** Scaled values, [rows, features], ready for training. */
export function scale(data: Dataset, { impute, mean, std, clip }: Scaler): Float32Array {
  const width = data.features.length;
  const scaled = new Float32Array(data.values.length);
  for (let i = 0; i < scaled.length; i++) {
    const column = i % width;
    const raw = data.values[i]!;
    const value = ((Number.isNaN(raw) ? impute[column]! : raw) - mean[column]!) / std[column]!;
    scaled[i] = Math.max(-clip, Math.min(clip, value));
  }
  return scaled;
}
