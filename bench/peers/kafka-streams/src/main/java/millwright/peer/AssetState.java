package millwright.peer;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** What is remembered of an asset beside the samples of its windows. Microseconds since the epoch; Long.MIN_VALUE for never. */
final class AssetState {
  static final long NEVER = Long.MIN_VALUE;

  long clockUs = NEVER;
  long beginUs = Long.MAX_VALUE;
  final long[] lastUs;
  /** Windows whose samples are kept, by index, and the slots that hold them: slots are used again, so that nothing is ever deleted. */
  final TreeMap<Long, Integer> kept = new TreeMap<>();
  /** Ascending. */
  final List<Published> published = new ArrayList<>();

  AssetState(int signals) {
    lastUs = new long[signals];
    Arrays.fill(lastUs, NEVER);
  }

  static final class Published {
    final long index;
    int revision;
    boolean empty;
    double[] means;

    Published(long index) {
      this.index = index;
    }
  }

  byte[] encode() {
    int signals = lastUs.length;
    ByteBuffer out = ByteBuffer.allocate(24 + 8 * signals + 12 * kept.size() + published.size() * (13 + 8 * signals));
    out.putLong(clockUs).putLong(beginUs).putInt(kept.size()).putInt(published.size());
    for (long last : lastUs) out.putLong(last);
    for (Map.Entry<Long, Integer> window : kept.entrySet()) out.putLong(window.getKey()).putInt(window.getValue());
    for (Published window : published) {
      out.putLong(window.index).putInt(window.revision).put((byte) (window.empty ? 1 : 0));
      for (double mean : window.means) out.putDouble(mean);
    }
    return out.array();
  }

  static AssetState decode(byte[] bytes, int signals) {
    ByteBuffer in = ByteBuffer.wrap(bytes);
    AssetState state = new AssetState(signals);
    state.clockUs = in.getLong();
    state.beginUs = in.getLong();
    int kept = in.getInt();
    int published = in.getInt();
    for (int s = 0; s < signals; s++) state.lastUs[s] = in.getLong();
    for (int i = 0; i < kept; i++) state.kept.put(in.getLong(), in.getInt());
    for (int i = 0; i < published; i++) {
      Published window = new Published(in.getLong());
      window.revision = in.getInt();
      window.empty = in.get() == 1;
      window.means = new double[signals];
      for (int s = 0; s < signals; s++) window.means[s] = in.getDouble();
      state.published.add(window);
    }
    return state;
  }

  /** Gives a window a slot; whether it had none. */
  boolean keep(long k) {
    if (kept.containsKey(k)) return false;
    int slot = 0;
    while (kept.containsValue(slot)) slot++;
    kept.put(k, slot);
    return true;
  }

  /** How many published windows have an index of at most k. */
  int countUpTo(long k) {
    int count = published.size();
    while (count > 0 && published.get(count - 1).index > k) count--;
    return count;
  }

  Published find(long k) {
    int count = countUpTo(k);
    return count > 0 && published.get(count - 1).index == k ? published.get(count - 1) : null;
  }
}
