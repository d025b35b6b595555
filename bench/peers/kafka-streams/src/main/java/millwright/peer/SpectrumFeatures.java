package millwright.peer;

/** Bands, peaks, centroid and entropy; definitions as in libs/signal/src/spectrum.ts. */
final class SpectrumFeatures {
  final int count;
  private final PowerSpectrum spectrum;
  private final int[] edges;
  private final int[] peaks;

  SpectrumFeatures(Job.Spectrum bands, int samples, double rateHz) {
    spectrum = new PowerSpectrum(samples, rateHz);
    int last = bands.bandsHz().length - 1;
    edges = new int[last + 1];
    for (int i = 0; i <= last; i++) {
      double bin = bands.bandsHz()[i] / spectrum.binHz;
      edges[i] = Math.min(spectrum.power.length, i == last ? (int) Math.floor(bin + 1e-9) + 1 : (int) Math.ceil(bin - 1e-9));
    }
    peaks = new int[bands.peaks()];
    count = last + peaks.length + 2;
  }

  void compute(double[] x, double factor, double[] out, int at) {
    spectrum.compute(x, factor);
    double[] power = spectrum.power;
    for (int band = 0; band + 1 < edges.length; band++) {
      double sum = 0;
      for (int k = edges[band]; k < edges[band + 1]; k++) sum += power[k];
      out[at++] = sum;
    }
    int found = findPeaks(power);
    for (int i = 0; i < peaks.length; i++) out[at++] = i < found ? refined(power, peaks[i]) * spectrum.binHz : Double.NaN;
    double total = 0;
    double moment = 0;
    double logarithms = 0;
    for (int k = 0; k < power.length; k++) {
      double p = power[k];
      total += p;
      moment += k * p;
      if (p > 0) logarithms += p * Math.log(p);
    }
    out[at++] = total > 0 ? moment / total * spectrum.binHz : Double.NaN;
    out[at] = total > 0 ? Math.max(0, Math.log(total) - logarithms / total) / Math.log(power.length) : Double.NaN;
  }

  private int findPeaks(double[] power) {
    int found = 0;
    for (int k = 1; k + 1 < power.length; k++) {
      double p = power[k];
      if (p <= power[k - 1] || p < power[k + 1]) continue;
      int i = found < peaks.length ? found++ : peaks.length;
      for (; i > 0 && p > power[peaks[i - 1]]; i--) if (i < peaks.length) peaks[i] = peaks[i - 1];
      if (i < peaks.length) peaks[i] = k;
    }
    return found;
  }

  private static double refined(double[] power, int k) {
    if (power[k - 1] <= 0 || power[k + 1] <= 0) return k;
    double a = Math.log(power[k - 1]);
    double b = Math.log(power[k]);
    double c = Math.log(power[k + 1]);
    double curvature = a - 2 * b + c;
    return curvature < 0 ? k + 0.5 * (a - c) / curvature : k;
  }
}
