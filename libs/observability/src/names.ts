import {
  ATTR_MESSAGING_CONSUMER_GROUP_NAME,
  ATTR_MESSAGING_DESTINATION_NAME,
  ATTR_MESSAGING_DESTINATION_PARTITION_ID,
  ATTR_MESSAGING_OPERATION_NAME,
  ATTR_RPC_METHOD,
  ATTR_RPC_RESPONSE_STATUS_CODE,
  ATTR_RPC_SYSTEM_NAME,
  METRIC_MESSAGING_CLIENT_CONSUMED_MESSAGES,
  METRIC_MESSAGING_CLIENT_OPERATION_DURATION,
  METRIC_MESSAGING_CLIENT_SENT_MESSAGES,
  METRIC_MESSAGING_PROCESS_DURATION,
  METRIC_NODEJS_EVENTLOOP_DELAY_P99,
  METRIC_NODEJS_EVENTLOOP_UTILIZATION,
  METRIC_PROCESS_CPU_TIME,
  METRIC_PROCESS_MEMORY_USAGE,
  METRIC_RPC_SERVER_CALL_DURATION,
} from '@opentelemetry/semantic-conventions/incubating';

/**
 * Every metric of Millwright. Names are OpenTelemetry's where its semantic conventions have one, and start with
 * `millwright.` otherwise. The Prometheus endpoint writes dots as underscores and appends `_total` to counters.
 */
export const METRICS = {
  /** Histogram, s: a micro-batch from its first record to its commit. By consumer group, topic, partition. */
  processDuration: METRIC_MESSAGING_PROCESS_DURATION,
  /** Histogram, s: the transaction of a micro-batch. By consumer group and operation (`commit`). */
  operationDuration: METRIC_MESSAGING_CLIENT_OPERATION_DURATION,
  /** Counter, {message}: records read. By consumer group, topic, partition. */
  consumedMessages: METRIC_MESSAGING_CLIENT_CONSUMED_MESSAGES,
  /** Counter, {message}: records published by a processor. By consumer group. */
  sentMessages: METRIC_MESSAGING_CLIENT_SENT_MESSAGES,
  /** Histogram, s: gRPC calls from first byte to status. By method and status code. */
  rpcDuration: METRIC_RPC_SERVER_CALL_DURATION,
  /** Histogram, s, of delays of the event loop: 99th percentile since the last collection. */
  eventLoopDelayP99: METRIC_NODEJS_EVENTLOOP_DELAY_P99,
  eventLoopUtilization: METRIC_NODEJS_EVENTLOOP_UTILIZATION,
  cpuTime: METRIC_PROCESS_CPU_TIME,
  memoryUsage: METRIC_PROCESS_MEMORY_USAGE,
  /** Counter, {record}: the loss ledger. By processor, topic, partition and outcome; the outcomes but `in` and `missing` add up to `in`. */
  ledgerRecords: 'millwright.ledger.records',
  /** Counter, {record}: watermarks read. By processor, topic, partition. */
  ledgerWatermarks: 'millwright.ledger.watermarks',
  /** Gauge, {record}: records behind the end of the log. By processor. */
  lag: 'millwright.lag',
  /** Gauge, {partition}: partitions held. By processor. */
  assignedPartitions: 'millwright.assigned.partitions',
  /** Gauge, s: age of the last poll that the log answered. By processor. */
  pollAge: 'millwright.poll.age',
  /** Gauge, 1: 1 while the processor makes no progress. By processor. */
  stalled: 'millwright.stalled',
  /** Gauge, s: how far the watermark that ingestion writes is behind the wall clock. */
  watermarkDelay: 'millwright.watermark.delay',
  /** Counter, {record}: blocks and production records offered to ingestion. By topic and outcome (accepted, repeated, refused). */
  intakeRecords: 'millwright.intake.records',
  /** Counter, {record}: refused blocks and production records. By reason. */
  intakeRefusals: 'millwright.intake.refusals',
  /** Gauge, By: bytes taken in that the log does not have yet. */
  intakeInFlight: 'millwright.intake.in_flight',
} as const;

/** Attributes of metrics and spans. */
export const ATTRIBUTES = {
  topic: ATTR_MESSAGING_DESTINATION_NAME,
  partition: ATTR_MESSAGING_DESTINATION_PARTITION_ID,
  group: ATTR_MESSAGING_CONSUMER_GROUP_NAME,
  operation: ATTR_MESSAGING_OPERATION_NAME,
  rpcSystem: ATTR_RPC_SYSTEM_NAME,
  rpcMethod: ATTR_RPC_METHOD,
  rpcStatus: ATTR_RPC_RESPONSE_STATUS_CODE,
  processor: 'millwright.processor',
  outcome: 'millwright.outcome',
  reason: 'millwright.reason',
} as const;
