package millwright.peer;

import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** Runs the job of the JSON file that its argument names, until SIGTERM. */
public final class Main {
  private static final String STRING = Serdes.String().getClass().getName();
  private static final String BYTES = Serdes.ByteArray().getClass().getName();

  private Main() {}

  public static void main(String[] args) throws Exception {
    Job job = Job.read(args[0]);
    KafkaStreams streams = new KafkaStreams(topology(job), settings(job));
    CountDownLatch stopped = new CountDownLatch(1);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      streams.close(CloseOptions.timeout(Duration.ofSeconds(20)).withGroupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP));
      stopped.countDown();
    }));
    streams.start();
    stopped.await();
  }

  private static Topology topology(Job job) {
    Topology topology = new Topology();
    topology.addSource("input", Serdes.String().deserializer(), Serdes.ByteArray().deserializer(), job.input());
    if (job.job().equals("features")) {
      topology.addProcessor("job", () -> new FeaturesProcessor(job), "input");
      topology.addStateStore(store(FeaturesProcessor.SAMPLES), "job");
      topology.addStateStore(store(FeaturesProcessor.ASSETS), "job");
    } else {
      topology.addProcessor("job", () -> new SpcProcessor(job), "input");
      topology.addStateStore(store(SpcProcessor.CHARTS), "job");
    }
    topology.addSink("output", job.output(), Serdes.String().serializer(), Serdes.ByteArray().serializer(), "job");
    return topology;
  }

  /** In memory, with a changelog; the cache in front of it writes what changed once per commit and not once per record. */
  private static StoreBuilder<KeyValueStore<String, byte[]>> store(String name) {
    return Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore(name), Serdes.String(), Serdes.ByteArray()).withCachingEnabled();
  }

  private static Properties settings(Job job) {
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, job.name());
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, job.brokers());
    settings.put(StreamsConfig.STATE_DIR_CONFIG, job.folder());
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, job.threads());
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, job.commitMs());
    settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 256L << 20);
    settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    settings.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE);
    settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, STRING);
    settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, BYTES);
    settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 2_000);
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 20);
    return settings;
  }
}
