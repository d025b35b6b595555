import { startKafka, type KafkaServer } from '@millwright/servers';
import type { RuntimeLogger } from '@millwright/streams';

/** As many as a service has by default. */
export const PARTITIONS = 6;

/** Fetch settings of Millwright's consumers (libs/streams/src/kafka/group-member.ts), for the bare client to be measured against. */
export const FETCH = { minBytes: 1, maxBytesPerPartition: 1_048_576, maxBytes: 16_777_216, maxWaitTimeInMs: 100 };

/** A Kafka with a JVM made for throughput instead of a quick start. */
export function startBroker(): Promise<KafkaServer> {
  return startKafka({ jvm: ['-Xms1g', '-Xmx1g', '-XX:+UseParallelGC', '-XX:ParallelGCThreads=2'] });
}

/** Tells of what goes wrong and keeps quiet otherwise. */
export function quiet(progress: (line: string) => void): RuntimeLogger {
  const tell = (_: object, message: string): void => progress(message);
  return { info: () => undefined, warn: tell, error: tell };
}
