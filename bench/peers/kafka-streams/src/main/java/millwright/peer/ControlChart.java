package millwright.peer;

import java.nio.ByteBuffer;
import java.util.Arrays;

/** A pair of control charts (X-bar/R or I-MR) with Nelson's rules; definitions as in libs/quality/src/control-chart.ts and nelson.ts. */
final class ControlChart {
  private static final int MEMORY = 15;
  /** d2 and d3 for 2 to 10 values. */
  private static final double[] D2 = {1.1283791671, 1.69256875064, 2.05875074601, 2.32592894728, 2.53441272122, 2.70435675121, 2.84720061209, 2.97002632442, 3.07750546167};
  private static final double[] D3 = {0.852502466427, 0.888368004045, 0.879808202825, 0.864081941099, 0.848039686117, 0.833205335622, 0.819831489792, 0.807834274553, 0.797050673519};

  private final Job.Chart spec;
  private final double[] pending;
  private int pendingCount;
  private double previous = Double.NaN;
  private int subgroups;
  private double locationSum;
  private double dispersionSum;
  /** Newest last. */
  private final double[] memory = new double[MEMORY];
  private int remembered;
  boolean outOfControl;

  /** Of the last point. */
  double location;
  double dispersion;
  boolean dispersionOut;
  int[] rules = {};
  double center = Double.NaN;
  double half;
  double dispersionCenter;
  double dispersionLower;
  double dispersionUpper;

  ControlChart(Job.Chart spec) {
    this.spec = spec;
    pending = new double[spec.subgroup()];
  }

  /** Takes a value; whether it completed a point. */
  boolean add(double value) {
    if (!Double.isFinite(value)) return false;
    pending[pendingCount++] = value;
    if (pendingCount < pending.length) return false;
    pendingCount = 0;
    double sum = 0;
    double min = Double.POSITIVE_INFINITY;
    double max = Double.NEGATIVE_INFINITY;
    for (double v : pending) {
      sum += v;
      min = Math.min(min, v);
      max = Math.max(max, v);
    }
    boolean single = spec.type().equals("i-mr");
    location = sum / pending.length;
    dispersion = single ? Math.abs(value - previous) : max - min;
    previous = value;
    rules = new int[0];
    dispersionOut = false;
    if (Double.isNaN(center)) {
      subgroups++;
      locationSum += location;
      if (!Double.isNaN(dispersion)) dispersionSum += dispersion;
      if (subgroups == spec.baseline()) freeze(single);
      return true;
    }
    double deviation = location - center;
    remember(deviation == 0 ? 0 : 3 * deviation / half);
    rules = Arrays.stream(spec.rules()).filter(this::breaks).toArray();
    dispersionOut = dispersion > dispersionUpper || dispersion < dispersionLower;
    return true;
  }

  private void freeze(boolean single) {
    int n = single ? 2 : spec.subgroup();
    double meanDispersion = dispersionSum / (single ? subgroups - 1 : subgroups);
    double sigma = meanDispersion / D2[n - 2];
    center = locationSum / subgroups;
    half = 3 * sigma / Math.sqrt(spec.subgroup());
    dispersionCenter = meanDispersion;
    dispersionLower = Math.max(0, meanDispersion - 3 * sigma * D3[n - 2]);
    dispersionUpper = meanDispersion + 3 * sigma * D3[n - 2];
  }

  private void remember(double z) {
    if (remembered == MEMORY) System.arraycopy(memory, 1, memory, 0, MEMORY - 1);
    else remembered++;
    memory[remembered - 1] = z;
  }

  private boolean breaks(int rule) {
    int n = remembered;
    double newest = memory[n - 1];
    switch (rule) {
      case 1:
        return Math.abs(newest) > 3;
      case 2:
        return n >= 9 && (within(9, 0, Double.POSITIVE_INFINITY) || within(9, Double.NEGATIVE_INFINITY, 0));
      case 3:
        return n >= 6 && (rising(1) || rising(-1));
      case 4:
        if (n < 14) return false;
        for (int i = n - 12; i < n; i++) if ((memory[i - 1] - memory[i - 2]) * (memory[i] - memory[i - 1]) >= 0) return false;
        return true;
      case 5:
        return among(2, 3, 2);
      case 6:
        return among(4, 5, 1);
      case 7:
        return n >= 15 && within(15, -1, 1);
      default:
        if (n < 8) return false;
        boolean above = false;
        boolean below = false;
        for (int i = n - 8; i < n; i++) {
          if (Math.abs(memory[i]) <= 1) return false;
          above |= memory[i] > 0;
          below |= memory[i] < 0;
        }
        return above && below;
    }
  }

  private boolean within(int count, double lower, double upper) {
    for (int i = remembered - count; i < remembered; i++) if (!(memory[i] > lower && memory[i] < upper)) return false;
    return true;
  }

  private boolean rising(int direction) {
    for (int i = remembered - 5; i < remembered; i++) if (!(direction * (memory[i] - memory[i - 1]) > 0)) return false;
    return true;
  }

  private boolean among(int needed, int count, double limit) {
    double side = Math.signum(memory[remembered - 1]);
    if (!(memory[remembered - 1] * side > limit)) return false;
    int beyond = 0;
    for (int i = Math.max(0, remembered - count); i < remembered; i++) if (memory[i] * side > limit) beyond++;
    return beyond >= needed;
  }

  byte[] encode() {
    ByteBuffer out = ByteBuffer.allocate(13 + 8 * (9 + pending.length + remembered));
    out.putInt(pendingCount).putInt(subgroups).putInt(remembered).put((byte) (outOfControl ? 1 : 0));
    out.putDouble(previous).putDouble(locationSum).putDouble(dispersionSum).putDouble(center).putDouble(half);
    out.putDouble(dispersionCenter).putDouble(dispersionLower).putDouble(dispersionUpper);
    for (double value : pending) out.putDouble(value);
    for (int i = 0; i < remembered; i++) out.putDouble(memory[i]);
    return out.array();
  }

  static ControlChart decode(Job.Chart spec, byte[] bytes) {
    ControlChart chart = new ControlChart(spec);
    ByteBuffer in = ByteBuffer.wrap(bytes);
    chart.pendingCount = in.getInt();
    chart.subgroups = in.getInt();
    chart.remembered = in.getInt();
    chart.outOfControl = in.get() == 1;
    chart.previous = in.getDouble();
    chart.locationSum = in.getDouble();
    chart.dispersionSum = in.getDouble();
    chart.center = in.getDouble();
    chart.half = in.getDouble();
    chart.dispersionCenter = in.getDouble();
    chart.dispersionLower = in.getDouble();
    chart.dispersionUpper = in.getDouble();
    for (int i = 0; i < chart.pending.length; i++) chart.pending[i] = in.getDouble();
    for (int i = 0; i < chart.remembered; i++) chart.memory[i] = in.getDouble();
    return chart;
  }
}
