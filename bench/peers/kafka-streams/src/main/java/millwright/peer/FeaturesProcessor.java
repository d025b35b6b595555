package millwright.peer;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.UnsafeByteOperations;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import millwright.features.v1.Features.FeatureVector;
import millwright.telemetry.v1.Telemetry.Encoding;
import millwright.telemetry.v1.Telemetry.SignalValues;
import millwright.telemetry.v1.Telemetry.TelemetryBlock;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * The features of tumbling event-time windows. A window closes when all live signals have reached its end, and is amended by
 * late samples for the grace after that: the rules of services/features/src/kind-windows.ts for windows without overlap
 * and regular float32 samples.
 */
final class FeaturesProcessor implements Processor<String, byte[], String, byte[]> {
  /** Samples of the windows that are open or can be amended, by asset and slot. */
  static final String SAMPLES = "samples";
  static final String ASSETS = "assets";

  private static final int REFERENCES = 64;
  private static final byte[] SCHEMA = "millwright.features.v1.FeatureVector".getBytes(StandardCharsets.UTF_8);

  private final Job job;
  private final Map<String, Extractor> extractors = new HashMap<>();
  /** States that have been read from the store or changed since this task began; the store has all that is in them. */
  private final Map<String, AssetState> states = new HashMap<>();
  /** Samples of the windows of the record at hand, by index. */
  private final Map<Long, float[][]> touched = new HashMap<>();
  private ProcessorContext<String, byte[]> context;
  private KeyValueStore<String, byte[]> samples;
  private KeyValueStore<String, byte[]> assets;

  FeaturesProcessor(Job job) {
    this.job = job;
  }

  @Override
  public void init(ProcessorContext<String, byte[]> context) {
    this.context = context;
    samples = context.getStateStore(SAMPLES);
    assets = context.getStateStore(ASSETS);
  }

  @Override
  public void process(Record<String, byte[]> record) {
    TelemetryBlock block;
    try {
      block = TelemetryBlock.parseFrom(record.value());
    } catch (InvalidProtocolBufferException error) {
      throw new IllegalArgumentException("not a TelemetryBlock", error);
    }
    String asset = record.key();
    Job.Kind kind = job.kindOf(asset);
    Extractor extractor = extractors.computeIfAbsent(kind.name(), name -> new Extractor(kind));
    AssetState state = states.computeIfAbsent(asset, this::load);
    touched.clear();

    long firstOpen = Math.max(firstAmendable(kind, state.clockUs), Math.floorDiv(block.getStartUs(), kind.lengthUs()));
    for (SignalValues values : block.getSignalsList()) take(asset, kind, extractor, state, block, values, firstOpen);
    for (long k : touched.keySet()) {
      boolean closed = end(kind, k) <= state.clockUs;
      if (closed && k * kind.lengthUs() > state.beginUs) publish(asset, kind, extractor, state, k, record);
    }
    advance(asset, kind, extractor, state, record);
    for (Map.Entry<Long, float[][]> entry : touched.entrySet()) {
      Integer slot = state.kept.get(entry.getKey());
      if (slot != null) samples.put(key(asset, slot), packed(entry.getValue()));
    }
    assets.put(asset, state.encode());
  }

  private AssetState load(String asset) {
    int signals = job.kindOf(asset).signals().size();
    byte[] stored = assets.get(asset);
    return stored == null ? new AssetState(signals) : AssetState.decode(stored, signals);
  }

  /** Puts the samples of a signal in their windows. */
  private void take(String asset, Job.Kind kind, Extractor extractor, AssetState state, TelemetryBlock block, SignalValues signal, long firstOpen) {
    if (signal.getEncoding() != Encoding.ENCODING_FLOAT32) throw new IllegalArgumentException("only float32 is taken here");
    int s = 0;
    while (!extractor.plans[s].name.equals(signal.getSignal())) s++;
    Extractor.Plan plan = extractor.plans[s];
    ByteBuffer values = signal.getValues().asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    long startUs = block.getStartUs();
    double intervalUs = block.getIntervalUs();
    int count = block.getCount();
    state.lastUs[s] = Math.max(state.lastUs[s], Math.round(startUs + (count - 1) * intervalUs));
    int i = 0;
    while (i < count) {
      long timeUs = Math.round(startUs + i * intervalUs);
      long k = Math.floorDiv(timeUs, kind.lengthUs());
      long windowStartUs = k * kind.lengthUs();
      int rest = (int) Math.min(count - i, Math.max(1, Math.ceil((windowStartUs + kind.lengthUs() - timeUs) / intervalUs)));
      if (k >= firstOpen) {
        state.beginUs = Math.min(state.beginUs, (long) (timeUs - plan.intervalUs));
        float[] window = windowOf(asset, extractor, state, k)[s];
        int slot = (int) Math.round((timeUs - windowStartUs) / plan.intervalUs);
        int there = Math.min(rest, window.length - slot);
        values.position(4 * i);
        values.asFloatBuffer().get(window, slot, there);
      }
      i += rest;
    }
  }

  private void advance(String asset, Job.Kind kind, Extractor extractor, AssetState state, Record<String, byte[]> record) {
    long before = state.clockUs;
    state.clockUs = Math.max(before, reachedUs(kind, extractor, state));
    if (state.clockUs == before) return;
    long k = next(state, before == AssetState.NEVER ? Long.MIN_VALUE : Math.floorDiv(before, kind.lengthUs()));
    while (k != Long.MAX_VALUE && end(kind, k) <= state.clockUs) {
      if (isDue(kind, state, k)) publish(asset, kind, extractor, state, k, record);
      k = next(state, k + 1);
    }
    long first = firstAmendable(kind, state.clockUs);
    while (!state.kept.isEmpty() && state.kept.firstKey() < first) state.kept.pollFirstEntry();
    int unneeded = state.countUpTo(first - finalAfter(kind) - 1) - REFERENCES;
    if (unneeded > 0) state.published.subList(0, unneeded).clear();
  }

  /** The time that all signals have reached that sent something since the last published window. */
  private static long reachedUs(Job.Kind kind, Extractor extractor, AssetState state) {
    long liveSinceUs = AssetState.NEVER;
    for (AssetState.Published window : state.published) if (!window.empty) liveSinceUs = window.index * kind.lengthUs();
    long reachedUs = Long.MAX_VALUE;
    for (int s = 0; s < state.lastUs.length; s++) {
      long lastUs = state.lastUs[s];
      if (lastUs < liveSinceUs) continue;
      reachedUs = Math.min(reachedUs, lastUs == AssetState.NEVER ? lastUs : lastUs + (long) Math.ceil(extractor.plans[s].intervalUs));
    }
    return reachedUs == Long.MAX_VALUE ? AssetState.NEVER : reachedUs;
  }

  /** The first window from k on that may be published: it has samples, or follows one that was not empty. */
  private static long next(AssetState state, long k) {
    if (!state.published.isEmpty()) {
      AssetState.Published last = state.published.get(state.published.size() - 1);
      if (last.index == k - 1 && !last.empty) return k;
    }
    Long kept = state.kept.ceilingKey(k);
    return kept == null ? Long.MAX_VALUE : kept;
  }

  private static boolean isDue(Job.Kind kind, AssetState state, long k) {
    if (state.kept.containsKey(k)) return k * kind.lengthUs() > state.beginUs;
    AssetState.Published previous = state.find(k - 1);
    return previous != null && !previous.empty;
  }

  private void publish(String asset, Job.Kind kind, Extractor extractor, AssetState state, long k, Record<String, byte[]> record) {
    float[][] window = state.kept.containsKey(k) ? windowOf(asset, extractor, state, k) : missing(extractor);
    int end = state.countUpTo(k - finalAfter(kind));
    List<double[]> references = new ArrayList<>(REFERENCES);
    for (int i = Math.max(0, end - REFERENCES); i < end; i++) references.add(state.published.get(i).means);
    extractor.extract(window, references);

    AssetState.Published published = state.find(k);
    if (published == null) state.published.add(state.countUpTo(k), published = new AssetState.Published(k));
    else published.revision++;
    published.empty = !state.kept.containsKey(k);
    published.means = extractor.means();

    byte[] values = new byte[8 * extractor.values.length];
    ByteBuffer.wrap(values).order(ByteOrder.LITTLE_ENDIAN).asDoubleBuffer().put(extractor.values);
    FeatureVector.Builder vector = FeatureVector.newBuilder()
      .setAsset(asset)
      .setKind(kind.name())
      .setWindowStartUs(k * kind.lengthUs())
      .setWindowEndUs(end(kind, k))
      .setRevision(published.revision)
      .setLayout(kind.layout())
      .setValues(UnsafeByteOperations.unsafeWrap(values))
      .setMissingRatio(extractor.missingRatio());
    for (Extractor.Plan plan : extractor.plans) if (Double.isNaN(extractor.values[plan.at])) vector.addSilentSignals(plan.name);
    context.forward(new Record<>(asset, vector.build().toByteArray(), record.timestamp(), new RecordHeaders().add("schema", SCHEMA)));
  }

  /** Samples of a window, by signal. */
  private float[][] windowOf(String asset, Extractor extractor, AssetState state, long k) {
    float[][] window = touched.get(k);
    if (window != null) return window;
    byte[] stored = state.keep(k) ? null : samples.get(key(asset, state.kept.get(k)));
    window = missing(extractor);
    if (stored != null) {
      ByteBuffer in = ByteBuffer.wrap(stored).order(ByteOrder.LITTLE_ENDIAN);
      for (float[] signal : window) {
        in.asFloatBuffer().get(signal);
        in.position(in.position() + 4 * signal.length);
      }
    }
    touched.put(k, window);
    return window;
  }

  private static float[][] missing(Extractor extractor) {
    float[][] window = new float[extractor.plans.length][];
    for (int s = 0; s < window.length; s++) {
      window[s] = new float[extractor.plans[s].expected];
      Arrays.fill(window[s], Float.NaN);
    }
    return window;
  }

  private static byte[] packed(float[][] window) {
    int count = 0;
    for (float[] signal : window) count += signal.length;
    ByteBuffer out = ByteBuffer.allocate(4 * count).order(ByteOrder.LITTLE_ENDIAN);
    for (float[] signal : window) {
      out.asFloatBuffer().put(signal);
      out.position(out.position() + 4 * signal.length);
    }
    return out.array();
  }

  private static String key(String asset, int slot) {
    return asset + '/' + slot;
  }

  private static long end(Job.Kind kind, long k) {
    return (k + 1) * kind.lengthUs();
  }

  private static long firstAmendable(Job.Kind kind, long clockUs) {
    return clockUs == AssetState.NEVER ? Long.MIN_VALUE : Math.floorDiv(clockUs - kind.graceUs(), kind.lengthUs());
  }

  /** How many windows an earlier one must lie back to be final when a window closes. */
  private static long finalAfter(Job.Kind kind) {
    return Math.max(1, -Math.floorDiv(-kind.graceUs(), kind.lengthUs()));
  }
}
