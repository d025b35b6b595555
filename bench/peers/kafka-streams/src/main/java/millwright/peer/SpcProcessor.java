package millwright.peer;

import com.google.protobuf.InvalidProtocolBufferException;
import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.StringJoiner;
import millwright.production.v1.Production.Inspection;
import millwright.production.v1.Production.ProductionRecord;
import millwright.quality.v1.Quality.ChartType;
import millwright.quality.v1.Quality.Finding;
import millwright.quality.v1.Quality.FindingKind;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** Control charts of inspected characteristics: the findings of services/quality/src/charts.ts. */
final class SpcProcessor implements Processor<String, byte[], String, byte[]> {
  /** By asset and chart. */
  static final String CHARTS = "charts";

  private static final byte[] SCHEMA = "millwright.quality.v1.Finding".getBytes(StandardCharsets.UTF_8);
  private static final String[] RULES = {
    "a point beyond three sigma",
    "nine points in a row on one side of the centre",
    "six points in a row rising or falling",
    "fourteen points in a row going up and down by turns",
    "two of three points beyond two sigma on one side",
    "four of five points beyond one sigma on one side",
    "fifteen points in a row within one sigma",
    "eight points in a row beyond one sigma on both sides",
  };

  private final Job job;
  private final Map<String, ControlChart> live = new HashMap<>();
  private ProcessorContext<String, byte[]> context;
  private KeyValueStore<String, byte[]> charts;

  SpcProcessor(Job job) {
    this.job = job;
  }

  @Override
  public void init(ProcessorContext<String, byte[]> context) {
    this.context = context;
    charts = context.getStateStore(CHARTS);
  }

  @Override
  public void process(Record<String, byte[]> record) {
    ProductionRecord production;
    try {
      production = ProductionRecord.parseFrom(record.value());
    } catch (InvalidProtocolBufferException error) {
      throw new IllegalArgumentException("not a ProductionRecord", error);
    }
    if (!production.hasInspection()) return;
    Inspection inspection = production.getInspection();
    String asset = record.key();
    Job.Kind kind = job.kindOf(asset);
    for (Job.Chart spec : kind.charts()) {
      if (!spec.characteristic().equals(inspection.getCharacteristic())) continue;
      String id = asset + '/' + spec.name();
      ControlChart chart = live.computeIfAbsent(id, key -> load(key, spec));
      if (chart.add(inspection.getValue())) judge(asset, kind, spec, chart, production.getTimeUs(), record.timestamp());
      charts.put(id, chart.encode());
    }
  }

  private ControlChart load(String id, Job.Chart spec) {
    byte[] stored = charts.get(id);
    return stored == null ? new ControlChart(spec) : ControlChart.decode(spec, stored);
  }

  private void judge(String asset, Job.Kind kind, Job.Chart spec, ControlChart chart, long timeUs, long timestamp) {
    boolean active = chart.rules.length > 0 || chart.dispersionOut;
    boolean told = active || chart.outOfControl;
    chart.outOfControl = active;
    if (!told) return;
    boolean ofDispersion = chart.dispersionOut && chart.rules.length == 0;
    double value = ofDispersion ? chart.dispersion : chart.location;
    double center = ofDispersion ? chart.dispersionCenter : chart.center;
    double lower = ofDispersion ? chart.dispersionLower : chart.center - chart.half;
    double upper = ofDispersion ? chart.dispersionUpper : chart.center + chart.half;
    boolean single = spec.type().equals("i-mr");
    Finding.Builder finding = Finding.newBuilder()
      .setAsset(asset)
      .setKind(kind.name())
      .setChart(asset + '/' + spec.name())
      .setFinding(FindingKind.FINDING_KIND_CONTROL_RULE)
      .setChartType(single ? ChartType.CHART_TYPE_I_MR : ChartType.CHART_TYPE_XBAR_R)
      .setTimeUs(timeUs)
      .setActive(active)
      .setValue(value)
      .setCenter(center)
      .setLowerLimit(lower)
      .setUpperLimit(upper);
    for (int rule : chart.rules) finding.addRules(rule);
    finding.setDescription(active ? description(spec, chart, ofDispersion, single, value, lower, upper) : spec.name() + ": in control again, " + number(value) + '.');
    context.forward(new Record<>(asset, finding.build().toByteArray(), timestamp, new RecordHeaders().add("schema", SCHEMA)));
  }

  private static String description(Job.Chart spec, ControlChart chart, boolean ofDispersion, boolean single, double value, double lower, double upper) {
    String dispersion = single ? "moving range" : "range";
    StringJoiner why = new StringJoiner("; ");
    for (int rule : chart.rules) why.add(RULES[rule - 1] + " (Nelson rule " + rule + ')');
    if (chart.dispersionOut) why.add(dispersion + " beyond its limits");
    String what = ofDispersion ? dispersion : single ? "value" : "mean";
    return spec.name() + ": " + what + ' ' + number(value) + ", limits " + number(lower) + " to " + number(upper) + ": " + why + '.';
  }

  private static String number(double value) {
    return new BigDecimal(value).round(new MathContext(5)).stripTrailingZeros().toPlainString();
  }
}
