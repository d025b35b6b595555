package millwright.peer;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** All features of a window, in the order of libs/signal/src/extractor.ts. Keeps scratch memory: one thread. */
final class Extractor {
  private static final double MOST_MISSING = 0.5;
  private static final int MOST_PAIRS = 16;
  private static final int LEAST_CORRELATED = 8;
  private static final int MOST_LAG = 16;
  private static final int LEAST_REFERENCES = 8;

  final Plan[] plans;
  final double[] values;
  private final List<Plan[]> pairs = new ArrayList<>();

  Extractor(Job.Kind kind) {
    int at = 0;
    plans = new Plan[kind.signals().size()];
    for (int s = 0; s < plans.length; s++) {
      plans[s] = new Plan(kind.signals().get(s), kind.lengthUs(), at);
      at = plans[s].end;
    }
    for (int s = 1; s < plans.length && pairs.size() < MOST_PAIRS; s++) {
      Plan a = plans[s - 1];
      Plan b = plans[s];
      if (a.intervalUs == b.intervalUs && a.expected >= LEAST_CORRELATED) pairs.add(new Plan[] {a, b});
    }
    values = new double[at + plans.length + pairs.size()];
  }

  /** Fills values from the samples of each signal on its nominal grid (NaN where missing) and the means of earlier windows. */
  void extract(float[][] samples, List<double[]> references) {
    for (int s = 0; s < plans.length; s++) plans[s].compute(samples[s], values);
    for (Plan plan : plans) {
      if (plan.envelope == null) continue;
      double rpm = Double.NaN;
      for (Plan other : plans) if (other.name.equals(plan.speedSignal)) rpm = values[other.at];
      plan.demodulate(rpm / 60, values);
    }
    int at = plans[plans.length - 1].end;
    for (int s = 0; s < plans.length; s++) values[at++] = zScore(values[plans[s].at], references, s);
    for (Plan[] pair : pairs) values[at++] = pair[0].usable && pair[1].usable ? crossCorrelation(pair[0].series, pair[1].series) : Double.NaN;
  }

  double[] means() {
    double[] means = new double[plans.length];
    for (int s = 0; s < means.length; s++) means[s] = values[plans[s].at];
    return means;
  }

  double missingRatio() {
    double missing = 0;
    double expected = 0;
    for (Plan plan : plans) {
      missing += values[plan.at + Statistics.COUNT - 1] * plan.expected;
      expected += plan.expected;
    }
    return missing / expected;
  }

  private static double zScore(double value, List<double[]> references, int column) {
    int n = 0;
    double sum = 0;
    for (double[] row : references) {
      if (Double.isNaN(row[column])) continue;
      n++;
      sum += row[column];
    }
    if (n < LEAST_REFERENCES) return Double.NaN;
    double mean = sum / n;
    double squares = 0;
    for (double[] row : references) {
      double d = row[column] - mean;
      if (!Double.isNaN(d)) squares += d * d;
    }
    double std = Math.sqrt(squares / n);
    return std > 1e-12 * Math.abs(mean) ? (value - mean) / std : Double.NaN;
  }

  private static double crossCorrelation(double[] a, double[] b) {
    int count = a.length;
    double norm = Math.sqrt(product(a, 0, a, 0, count)) * Math.sqrt(product(b, 0, b, 0, count));
    if (!(norm > 0)) return Double.NaN;
    double peak = product(a, 0, b, 0, count);
    for (int lag = 1; lag <= Math.min(MOST_LAG, count / 4); lag++) {
      double ahead = product(a, 0, b, lag, count - lag);
      double behind = product(a, lag, b, 0, count - lag);
      if (Math.abs(ahead) > Math.abs(peak)) peak = ahead;
      if (Math.abs(behind) > Math.abs(peak)) peak = behind;
    }
    return peak / norm;
  }

  private static double product(double[] a, int aFrom, double[] b, int bFrom, int count) {
    double sum = 0;
    for (int i = 0; i < count; i++) sum += a[aFrom + i] * b[bFrom + i];
    return sum;
  }

  /** Where the features of one signal go, and what they need. */
  static final class Plan {
    final String name;
    final String speedSignal;
    final double intervalUs;
    final int expected;
    final int at;
    final int end;
    final double[] series;
    boolean usable;
    private final SpectrumFeatures spectrum;
    private final EnvelopeFeatures envelope;

    Plan(Job.Signal signal, long lengthUs, int at) {
      name = signal.name();
      intervalUs = 1e6 / signal.rateHz();
      expected = (int) Math.max(1, Math.round(lengthUs / 1e6 * signal.rateHz()));
      series = new double[expected];
      speedSignal = signal.envelope() == null ? null : signal.envelope().speedSignal();
      spectrum = signal.spectrum() == null ? null : new SpectrumFeatures(signal.spectrum(), expected, signal.rateHz());
      envelope = signal.envelope() == null ? null : new EnvelopeFeatures(signal.envelope(), expected, signal.rateHz());
      this.at = at;
      end = at + Statistics.COUNT + (spectrum == null ? 0 : spectrum.count) + (envelope == null ? 0 : envelope.count);
    }

    void compute(float[] samples, double[] out) {
      int present = Statistics.compute(samples, intervalUs, out, at);
      usable = present > 0 && present >= (1 - MOST_MISSING) * expected;
      double mean = out[at];
      for (int i = 0; i < expected; i++) {
        double d = samples[i] - mean;
        series[i] = d - d == 0 ? d : 0;
      }
      if (spectrum == null) return;
      int from = at + Statistics.COUNT;
      if (usable) spectrum.compute(series, (double) expected / present, out, from);
      else Arrays.fill(out, from, from + spectrum.count, Double.NaN);
    }

    void demodulate(double shaftHz, double[] out) {
      if (usable) envelope.compute(series, shaftHz, out, end - envelope.count);
      else Arrays.fill(out, end - envelope.count, end, Double.NaN);
    }
  }
}
