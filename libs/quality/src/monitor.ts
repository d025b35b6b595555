import { Matrix, solve } from 'ml-matrix';
import type { MonitorBaseline } from './monitor-baseline.js';

/** The two statistics of one feature vector, and what each feature contributes to them. */
export interface MonitorScore {
  /** Hotelling's T²: how far within the plane of normal variation. */
  readonly t2: number;
  /** Squared prediction error (Q): how far from that plane. */
  readonly spe: number;
  /** Contributions by feature; they are not negative and add up to the statistic. */
  readonly t2Contributions: Float64Array;
  readonly speContributions: Float64Array;
}

/**
 * Judges feature vectors by a PCA model of normal operation.
 *
 * With z the standardised features, P the loadings and Λ the eigenvalues: scores t = P'z, T² = Σ t² / λ, SPE = |z - Pt|².
 * Contributions are complete decompositions (Alcala and Qin 2009, Automatica 45(7), 1593-1600): to T² the squares of
 * P Λ^(-1/2) t, to SPE the squares of z - Pt.
 *
 * Missing (NaN) features: scores are their conditional expectation given the features at hand under the probabilistic PCA
 * model (Tipping and Bishop 1999, J. R. Statist. Soc. B 61(3)): t = (Po'Po + σ² Λ^-1)^-1 Po' zo, with σ² the mean eigenvalue
 * left out; SPE is over the features at hand.
 */
export class Monitor {
  private readonly p: number;
  private readonly k: number;
  private readonly loadings: Float64Array;

  constructor(private readonly model: Pick<MonitorBaseline, 'mean' | 'std' | 'loadings' | 'eigenvalues'>) {
    this.p = model.mean.length;
    this.k = model.eigenvalues.length;
    this.loadings = Float64Array.from(model.loadings.flat());
  }

  /**
   * @param values the features in the order of the baseline; NaN is missing
   * @returns undefined when fewer than half of the features are there: too little to judge by
   */
  evaluate(values: Float64Array): MonitorScore | undefined {
    const { p, k, loadings } = this;
    const { mean, std, eigenvalues } = this.model;
    const z = new Float64Array(p);
    let missing = 0;
    for (let j = 0; j < p; j++) {
      z[j] = (values[j]! - mean[j]!) / std[j]!;
      if (!Number.isFinite(z[j]!)) {
        z[j] = NaN;
        missing++;
      }
    }
    if (missing > p / 2) return undefined;
    const scores = missing === 0 ? this.project(z) : this.estimate(z);

    let t2 = 0;
    for (let a = 0; a < k; a++) t2 += (scores[a]! * scores[a]!) / eigenvalues[a]!;
    const t2Contributions = new Float64Array(p);
    const speContributions = new Float64Array(p);
    let spe = 0;
    for (let j = 0; j < p; j++) {
      let fitted = 0;
      let scaled = 0;
      for (let a = 0; a < k; a++) {
        const along = loadings[a * p + j]! * scores[a]!;
        fitted += along;
        scaled += along / Math.sqrt(eigenvalues[a]!);
      }
      t2Contributions[j] = scaled * scaled;
      const error = Number.isNaN(z[j]!) ? 0 : z[j]! - fitted;
      speContributions[j] = error * error;
      spe += error * error;
    }
    return { t2, spe, t2Contributions, speContributions };
  }

  private project(z: Float64Array): Float64Array {
    const scores = new Float64Array(this.k);
    for (let a = 0; a < this.k; a++) {
      let sum = 0;
      for (let j = 0; j < this.p; j++) sum += this.loadings[a * this.p + j]! * z[j]!;
      scores[a] = sum;
    }
    return scores;
  }

  private estimate(z: Float64Array): Float64Array {
    const { p, k, loadings } = this;
    const { eigenvalues } = this.model;
    // The eigenvalues of a correlation matrix add up to p.
    const noise = (p - eigenvalues.reduce((sum, value) => sum + value, 0)) / (p - k);
    const left = Matrix.zeros(k, k);
    const right = Matrix.zeros(k, 1);
    for (let a = 0; a < k; a++) {
      for (let j = 0; j < p; j++) {
        if (Number.isNaN(z[j]!)) continue;
        const along = loadings[a * p + j]!;
        right.set(a, 0, right.get(a, 0) + along * z[j]!);
        for (let b = 0; b < k; b++) left.set(a, b, left.get(a, b) + along * loadings[b * p + j]!);
      }
      left.set(a, a, left.get(a, a) + noise / eigenvalues[a]!);
    }
    return Float64Array.from(solve(left, right).to1DArray());
  }
}
