package millwright.peer;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.io.IOException;
import java.util.List;
import java.util.Map;

/** What the bench asks for, read from its JSON file: where, and the parts of the plant file that the job depends on. */
record Job(String job, String brokers, String name, String input, String output, String folder, int threads, int commitMs, Map<String, Kind> kinds, Map<String, String> assets) {
  record Kind(String name, long lengthUs, long graceUs, String layout, List<Signal> signals, List<Chart> charts) {}

  record Signal(String name, double rateHz, Spectrum spectrum, Envelope envelope) {}

  record Spectrum(double[] bandsHz, int peaks) {}

  record Envelope(double[] bandHz, String speedSignal, double[] orders, int harmonics) {}

  record Chart(String name, String type, String characteristic, int subgroup, int baseline, int[] rules) {}

  static Job read(String path) throws IOException {
    return new ObjectMapper().readValue(new File(path), Job.class);
  }

  Kind kindOf(String asset) {
    return kinds.get(assets.get(asset));
  }
}
