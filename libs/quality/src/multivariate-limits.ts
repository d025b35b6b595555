import chiSquareQuantile from '@stdlib/stats-base-dists-chisquare-quantile';
import fQuantile from '@stdlib/stats-base-dists-f-quantile';

/**
 * Limit of Hotelling's T² for a new observation (phase II): k (n² - 1) / (n (n - k)) F(1 - alpha; k, n - k)
 * (Tracy, Young and Mason 1992, Journal of Quality Technology 24(2), 88-95).
 * @param components number of components k
 * @param count observations that the model was fitted on, n
 * @param alpha false alarm probability of one independent observation
 */
export function t2Limit(components: number, count: number, alpha: number): number {
  const [k, n] = [components, count];
  return ((k * (n * n - 1)) / (n * (n - k))) * fQuantile(1 - alpha, k, n - k);
}

/**
 * Quantile of the scaled chi-square g χ²(h) with the given mean and variance: g = variance / (2 mean),
 * h = 2 mean² / variance (Box 1954, Annals of Mathematical Statistics 25(2), 290-302, theorem 3.1).
 */
export function scaledChiSquareLimit(mean: number, variance: number, alpha: number): number {
  return (variance / (2 * mean)) * chiSquareQuantile(1 - alpha, (2 * mean * mean) / variance);
}

/**
 * Limit of SPE (Q) for independent observations: SPE has mean Σ λ and variance 2 Σ λ² over the eigenvalues that the model
 * leaves out, and is taken as scaled chi-square. Close to the limit of Jackson and Mudholkar (1979), whose normal
 * approximation is not defined for all eigenvalues.
 */
export function speLimit(residualEigenvalues: readonly number[], alpha: number): number {
  let mean = 0;
  let squares = 0;
  for (const eigenvalue of residualEigenvalues) {
    mean += eigenvalue;
    squares += eigenvalue * eigenvalue;
  }
  return scaledChiSquareLimit(mean, 2 * squares, alpha);
}
