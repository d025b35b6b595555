package millwright.peer;

import org.jtransforms.fft.DoubleFFT_1D;

/** One-sided power spectrum with a Hann window; definition as in libs/signal/src/power-spectrum.ts. */
final class PowerSpectrum {
  final double[] power;
  final double binHz;
  private final DoubleFFT_1D fft;
  private final double[] window;
  private final double[] work;
  private final double scale;

  PowerSpectrum(int samples, double rateHz) {
    int size = transformSize(samples);
    fft = new DoubleFFT_1D(size);
    window = new double[samples];
    double squares = 0;
    for (int i = 0; i < samples; i++) {
      window[i] = 0.5 - 0.5 * Math.cos(2 * Math.PI * i / samples);
      squares += window[i] * window[i];
    }
    work = new double[size];
    scale = 1 / (size * squares);
    power = new double[size / 2 + 1];
    binHz = rateHz / size;
  }

  /** The least power of two that is at least n, and at least 8. */
  static int transformSize(int n) {
    int size = 8;
    while (size < n) size *= 2;
    return size;
  }

  /** Fills power from the series, in which missing samples are 0. */
  void compute(double[] x, double factor) {
    for (int i = 0; i < window.length; i++) work[i] = window[i] * x[i];
    java.util.Arrays.fill(work, window.length, work.length, 0);
    fft.realForward(work);
    double one = scale * factor;
    double two = 2 * one;
    int last = power.length - 1;
    power[0] = one * work[0] * work[0];
    power[last] = one * work[1] * work[1];
    for (int k = 1; k < last; k++) power[k] = two * (work[2 * k] * work[2 * k] + work[2 * k + 1] * work[2 * k + 1]);
  }
}
