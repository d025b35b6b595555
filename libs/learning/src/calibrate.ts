import { crossEntropy } from './trainer.js';

/**
 * Temperature that makes confidence honest on held-out data: the divisor of the scores that gives the least cross-entropy
 * (Guo et al., "On Calibration of Modern Neural Networks", 2017). Golden-section search over [0.05, 20] on a log scale.
 */
export function fitTemperature(scores: Float32Array, classes: Int32Array, width: number): number {
  const loss = (log: number): number => {
    const temperature = Math.exp(log);
    return crossEntropy(scores.map((score) => score / temperature), classes, width);
  };
  const golden = (Math.sqrt(5) - 1) / 2;
  let low = Math.log(0.05);
  let high = Math.log(20);
  while (high - low > 1e-4) {
    const left = high - golden * (high - low);
    const right = low + golden * (high - low);
    if (loss(left) < loss(right)) high = right;
    else low = left;
  }
  return Math.exp((low + high) / 2);
}
