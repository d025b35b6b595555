package millwright.peer;

import java.util.Arrays;
import org.jtransforms.fft.DoubleFFT_1D;

/** Envelope energy at orders of the shaft speed; definition and decimated demodulation as in libs/signal/src/envelope.ts. */
final class EnvelopeFeatures {
  private static final double TOLERANCE = 1.5;

  final int count;
  private final double[] orders;
  private final int harmonics;
  private final double resolutionHz;
  private final int first;
  private final int bins;
  private final DoubleFFT_1D fft;
  private final double[] transformed;
  private final DoubleFFT_1D inverse;
  private final double[] analytic;
  private final double gain;
  private final double[] envelope;
  private final PowerSpectrum spectrum;

  EnvelopeFeatures(Job.Envelope band, int samples, double rateHz) {
    orders = band.orders();
    count = orders.length;
    harmonics = band.harmonics();
    resolutionHz = rateHz / samples;
    int size = PowerSpectrum.transformSize(samples);
    fft = new DoubleFFT_1D(size);
    transformed = new double[size];
    first = Math.max(1, (int) Math.ceil(band.bandHz()[0] * size / rateHz - 1e-9));
    bins = Math.max(0, Math.min(size / 2 - 1, (int) Math.floor(band.bandHz()[1] * size / rateHz + 1e-9)) - first + 1);
    int decimated = Math.min(size, PowerSpectrum.transformSize(2 * bins));
    inverse = new DoubleFFT_1D(decimated);
    analytic = new double[2 * decimated];
    gain = 2.0 * decimated / size;
    int step = size / decimated;
    envelope = new double[(samples + step - 1) / step];
    spectrum = new PowerSpectrum(envelope.length, rateHz / step);
  }

  void compute(double[] x, double shaftHz, double[] out, int at) {
    double mean = demodulate(x);
    if (mean > 0) spectrum.compute(envelope, 1);
    double highestHz = (spectrum.power.length - 1) * spectrum.binHz;
    for (int i = 0; i < orders.length; i++) {
      double frequency = orders[i] * shaftHz;
      boolean measurable = mean > 0 && frequency >= 2 * resolutionHz && frequency <= highestHz;
      out[at + i] = measurable ? powerAt(frequency) / (mean * mean) : Double.NaN;
    }
  }

  private double demodulate(double[] x) {
    System.arraycopy(x, 0, transformed, 0, x.length);
    Arrays.fill(transformed, x.length, transformed.length, 0);
    fft.realForward(transformed);
    System.arraycopy(transformed, 2 * first, analytic, 0, 2 * bins);
    Arrays.fill(analytic, 2 * bins, analytic.length, 0);
    inverse.complexInverse(analytic, true);
    double sum = 0;
    for (int i = 0; i < envelope.length; i++) {
      double re = analytic[2 * i];
      double im = analytic[2 * i + 1];
      envelope[i] = gain * Math.sqrt(re * re + im * im);
      sum += envelope[i];
    }
    double mean = sum / envelope.length;
    for (int i = 0; i < envelope.length; i++) envelope[i] -= mean;
    return mean;
  }

  private double powerAt(double frequency) {
    double[] power = spectrum.power;
    double halfWidth = TOLERANCE * resolutionHz;
    int next = 1;
    double sum = 0;
    for (int h = 1; h <= harmonics; h++) {
      int last = Math.min(power.length - 1, (int) Math.floor((h * frequency + halfWidth) / spectrum.binHz));
      for (int k = Math.max(next, (int) Math.ceil((h * frequency - halfWidth) / spectrum.binHz)); k <= last; k++) sum += power[k];
      next = Math.max(next, last + 1);
    }
    return sum;
  }
}
