package millwright.peer;

/** The ten statistics of a signal; definitions as in libs/signal/src/statistics.ts. */
final class Statistics {
  static final int COUNT = 10;
  private static final double RESOLUTION = 1e-15;

  private Statistics() {}

  /** Writes them to out[at...]; NaN samples are missing. Returns how many samples are there. */
  static int compute(float[] samples, double intervalUs, double[] out, int at) {
    int n = 0;
    double sum = 0;
    double timeSum = 0;
    double min = Double.POSITIVE_INFINITY;
    double max = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < samples.length; i++) {
      double x = samples[i];
      if (x - x != 0) continue;
      n++;
      sum += x;
      timeSum += i * intervalUs;
      if (x < min) min = x;
      if (x > max) max = x;
    }
    if (n == 0) {
      java.util.Arrays.fill(out, at, at + COUNT - 1, Double.NaN);
      out[at + COUNT - 1] = 1;
      return 0;
    }
    double guess = sum / n;
    double meanTime = timeSum / n;
    double s1 = 0;
    double s2 = 0;
    double s3 = 0;
    double s4 = 0;
    double timeProduct = 0;
    double timeSquares = 0;
    for (int i = 0; i < samples.length; i++) {
      double x = samples[i];
      if (x - x != 0) continue;
      double d = x - guess;
      double t = i * intervalUs - meanTime;
      double dd = d * d;
      s1 += d;
      s2 += dd;
      s3 += dd * d;
      s4 += dd * dd;
      timeProduct += t * d;
      timeSquares += t * t;
    }
    double shift = s1 / n;
    double mean = guess + shift;
    double raw2 = s2 / n;
    double raw3 = s3 / n;
    double m2 = Math.max(0, raw2 - shift * shift);
    double m3 = raw3 - 3 * shift * raw2 + 2 * shift * shift * shift;
    double m4 = s4 / n - 4 * shift * raw3 + 6 * shift * shift * raw2 - 3 * shift * shift * shift * shift;
    double rms = Math.sqrt(mean * mean + m2);
    double peak = Math.max(-min, max);
    boolean constant = min == max || m2 <= RESOLUTION * mean * (RESOLUTION * mean);
    out[at] = mean;
    out[at + 1] = Math.sqrt(m2);
    out[at + 2] = rms;
    out[at + 3] = peak;
    out[at + 4] = max - min;
    out[at + 5] = rms > 0 ? peak / rms : Double.NaN;
    out[at + 6] = constant ? Double.NaN : m3 / (m2 * Math.sqrt(m2));
    out[at + 7] = constant ? Double.NaN : m4 / (m2 * m2) - 3;
    out[at + 8] = timeSquares > 0 ? timeProduct / timeSquares * 1e6 : Double.NaN;
    out[at + 9] = Math.max(0, 1 - (double) n / samples.length);
    return n;
  }
}
