// Made from telemetry.yaml by `npm run telemetry`. Do not edit.

/** Every metric, by its name in code; `prometheus` is its name at /metrics, without the suffixes of a histogram. */
export const METRICS = {
  /** CPU time of the process. */
  cpuTime: { name: 'process.cpu.time', prometheus: 'process_cpu_time_seconds_total', kind: 'counter', unit: 's', description: 'CPU time of the process' },
  /** Resident memory of the process. */
  memoryUsage: { name: 'process.memory.usage', prometheus: 'process_memory_usage_bytes', kind: 'updown_counter', unit: 'By', description: 'Resident memory of the process' },
  /** Time since the process started. */
  uptime: { name: 'process.uptime', prometheus: 'process_uptime_seconds', kind: 'gauge', unit: 's', description: 'Time since the process started' },
  /** 99th percentile of the event loop's delay since the last scrape. */
  eventLoopDelayP99: { name: 'nodejs.eventloop.delay.p99', prometheus: 'nodejs_eventloop_delay_p99_seconds', kind: 'gauge', unit: 's', description: '99th percentile of the event loop\'s delay since the last scrape' },
  /** Share of time that the event loop was busy since the last scrape. */
  eventLoopUtilization: { name: 'nodejs.eventloop.utilization', prometheus: 'nodejs_eventloop_utilization_ratio', kind: 'gauge', unit: '1', description: 'Share of time that the event loop was busy since the last scrape' },
  /** Duration of garbage collections. */
  gcDuration: { name: 'v8js.gc.duration', prometheus: 'v8js_gc_duration_seconds', kind: 'histogram', unit: 's', description: 'Duration of garbage collections', boundaries: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1] },
  /** Heap in use. */
  heapUsed: { name: 'v8js.memory.heap.used', prometheus: 'v8js_memory_heap_used_bytes', kind: 'updown_counter', unit: 'By', description: 'Heap in use' },
  /** Duration of gRPC calls from the first byte to the status. */
  rpcDuration: { name: 'rpc.server.call.duration', prometheus: 'rpc_server_call_duration_seconds', kind: 'histogram', unit: 's', description: 'Duration of gRPC calls from the first byte to the status', boundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] },
  /** gRPC calls that are open now, streams of gateways among them. */
  rpcActive: { name: 'millwright.rpc.server.active_calls', prometheus: 'millwright_rpc_server_active_calls', kind: 'updown_counter', unit: '{call}', description: 'gRPC calls that are open now, streams of gateways among them' },
  /** Blocks and production records offered, by outcome (accepted, repeated, refused). */
  intakeRecords: { name: 'millwright.intake.records', prometheus: 'millwright_intake_records_total', kind: 'counter', unit: '{record}', description: 'Blocks and production records offered, by outcome (accepted, repeated, refused)' },
  /** Problems of refused blocks and production records, by reason. */
  intakeRefusals: { name: 'millwright.intake.refusals', prometheus: 'millwright_intake_refusals_total', kind: 'counter', unit: '{problem}', description: 'Problems of refused blocks and production records, by reason' },
  /** Bytes taken in that the log does not have yet. */
  intakeInFlight: { name: 'millwright.intake.in_flight', prometheus: 'millwright_intake_in_flight_bytes', kind: 'gauge', unit: 'By', description: 'Bytes taken in that the log does not have yet' },
  /** Sources that have been heard of lately and hold event time. */
  intakeSources: { name: 'millwright.intake.sources', prometheus: 'millwright_intake_sources', kind: 'gauge', unit: '{source}', description: 'Sources that have been heard of lately and hold event time' },
  /** Duration of writes to the log; `commit` is the transaction of a micro-batch, `send` a request of ingestion. */
  operationDuration: { name: 'messaging.client.operation.duration', prometheus: 'messaging_client_operation_duration_seconds', kind: 'histogram', unit: 's', description: 'Duration of writes to the log; `commit` is the transaction of a micro-batch, `send` a request of ingestion', boundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] },
  /** Records written, watermarks not counted. */
  sentMessages: { name: 'messaging.client.sent.messages', prometheus: 'messaging_client_sent_messages_total', kind: 'counter', unit: '{message}', description: 'Records written, watermarks not counted' },
  /** Records read, watermarks counted. */
  consumedMessages: { name: 'messaging.client.consumed.messages', prometheus: 'messaging_client_consumed_messages_total', kind: 'counter', unit: '{message}', description: 'Records read, watermarks counted' },
  /** Duration of micro-batches from the first record to the commit. */
  processDuration: { name: 'messaging.process.duration', prometheus: 'messaging_process_duration_seconds', kind: 'histogram', unit: 's', description: 'Duration of micro-batches from the first record to the commit', boundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] },
  /** Records behind the end of the log when the partition last read. */
  lag: { name: 'millwright.lag', prometheus: 'millwright_lag', kind: 'gauge', unit: '{record}', description: 'Records behind the end of the log when the partition last read' },
  /** How far event time is behind the clock, in the slowest partition; it grows while nothing moves. */
  watermarkDelay: { name: 'millwright.watermark.delay', prometheus: 'millwright_watermark_delay_seconds', kind: 'gauge', unit: 's', description: 'How far event time is behind the clock, in the slowest partition; it grows while nothing moves' },
  /** From the event time of a result to its commit in the topic; in alarms.v1 the time from sample to alarm. */
  eventLatency: { name: 'millwright.event.latency', prometheus: 'millwright_event_latency_seconds', kind: 'histogram', unit: 's', description: 'From the event time of a result to its commit in the topic; in alarms.v1 the time from sample to alarm', boundaries: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600] },
  /** Loss ledger, by outcome; in = processed + dead_lettered + late + repeated, and missing must stay 0. */
  ledgerRecords: { name: 'millwright.ledger.records', prometheus: 'millwright_ledger_records_total', kind: 'counter', unit: '{record}', description: 'Loss ledger, by outcome; in = processed + dead_lettered + late + repeated, and missing must stay 0' },
  /** Watermarks read. */
  ledgerWatermarks: { name: 'millwright.ledger.watermarks', prometheus: 'millwright_ledger_watermarks_total', kind: 'counter', unit: '{record}', description: 'Watermarks read' },
  /** Partitions held. */
  assignedPartitions: { name: 'millwright.assigned.partitions', prometheus: 'millwright_assigned_partitions', kind: 'gauge', unit: '{partition}', description: 'Partitions held' },
  /** Age of the last poll that the log answered. */
  pollAge: { name: 'millwright.poll.age', prometheus: 'millwright_poll_age_seconds', kind: 'gauge', unit: 's', description: 'Age of the last poll that the log answered' },
  /** 1 while the processor makes no progress; /status says why. */
  stalled: { name: 'millwright.stalled', prometheus: 'millwright_stalled', kind: 'gauge', unit: '{processor}', description: '1 while the processor makes no progress; /status says why' },
  /** Duration of saving a checkpoint, by outcome (saved, refused, failed). */
  checkpointDuration: { name: 'millwright.checkpoint.duration', prometheus: 'millwright_checkpoint_duration_seconds', kind: 'histogram', unit: 's', description: 'Duration of saving a checkpoint, by outcome (saved, refused, failed)', boundaries: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5] },
  /** Windows that one call of the engine judged. */
  inferenceBatchSize: { name: 'millwright.inference.batch.size', prometheus: 'millwright_inference_batch_size', kind: 'histogram', unit: '{window}', description: 'Windows that one call of the engine judged', boundaries: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024] },
  /** Time that a call of the engine took on the device. */
  inferenceDuration: { name: 'millwright.inference.duration', prometheus: 'millwright_inference_duration_seconds', kind: 'histogram', unit: 's', description: 'Time that a call of the engine took on the device', boundaries: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1] },
  /** Windows that wait for a place in a batch. */
  inferenceQueueLength: { name: 'millwright.inference.queue.length', prometheus: 'millwright_inference_queue_length', kind: 'gauge', unit: '{window}', description: 'Windows that wait for a place in a batch' },
  /** 1 for each model in use, with version, engine and device. */
  modelLoaded: { name: 'millwright.model.loaded', prometheus: 'millwright_model_loaded', kind: 'gauge', unit: '{model}', description: '1 for each model in use, with version, engine and device' },
  /** Windows that a version in the shadow judged beside production, by outcome: agreed, differed, or failed where it could not judge. */
  shadowWindows: { name: 'millwright.model.shadow.windows', prometheus: 'millwright_model_shadow_windows_total', kind: 'counter', unit: '{window}', description: 'Windows that a version in the shadow judged beside production, by outcome: agreed, differed, or failed where it could not judge' },
  /** Evaluations at which a chart or monitor found something; inference counts the drift that it finds. */
  qualityFindings: { name: 'millwright.quality.findings', prometheus: 'millwright_quality_findings_total', kind: 'counter', unit: '{finding}', description: 'Evaluations at which a chart or monitor found something; inference counts the drift that it finds' },
  /** Alarms raised, cleared and acknowledged; counted once in the whole cluster. */
  alarmEvents: { name: 'millwright.alarm.events', prometheus: 'millwright_alarm_events_total', kind: 'counter', unit: '{event}', description: 'Alarms raised, cleared and acknowledged; counted once in the whole cluster' },
  /** From raising an alarm to its acknowledgement. */
  acknowledgeTime: { name: 'millwright.alarm.acknowledge.time', prometheus: 'millwright_alarm_acknowledge_time_seconds', kind: 'histogram', unit: 's', description: 'From raising an alarm to its acknowledgement', boundaries: [10, 30, 60, 120, 300, 600, 1800, 3600, 14400, 86400] },
  /** Alarms that are not normal, of the partitions held; add up the instances. */
  standingAlarms: { name: 'millwright.alarms.standing', prometheus: 'millwright_alarms_standing', kind: 'gauge', unit: '{alarm}', description: 'Alarms that are not normal, of the partitions held; add up the instances' },
  /** Alarms that have stood for more than 24 hours (stale after ISA-18.2). */
  staleAlarms: { name: 'millwright.alarms.stale', prometheus: 'millwright_alarms_stale', kind: 'gauge', unit: '{alarm}', description: 'Alarms that have stood for more than 24 hours (stale after ISA-18.2)' },
  /** Priority of an asset's most urgent standing alarm, 1 (low) to 4 (urgent), 0 where it has none. */
  assetPriority: { name: 'millwright.asset.alarm.priority', prometheus: 'millwright_asset_alarm_priority', kind: 'gauge', unit: '{priority}', description: 'Priority of an asset\'s most urgent standing alarm, 1 (low) to 4 (urgent), 0 where it has none' },
} as const;

/** Attributes of metrics and spans, by their names in code. */
export const ATTRIBUTES = {
  /** Which service; millwright-standalone where all run in one process. */
  service: 'service.name',
  /** The log; `kafka` also stands for the embedded log. */
  system: 'messaging.system',
  /** What is done to the log. */
  operation: 'messaging.operation.name',
  /** The same in the words of the convention. */
  operationType: 'messaging.operation.type',
  /** Topic. */
  topic: 'messaging.destination.name',
  /** Partition number. */
  partition: 'messaging.destination.partition.id',
  /** Consumer group. */
  group: 'messaging.consumer.group.name',
  /** Records of a micro-batch. */
  batchSize: 'messaging.batch.message_count',
  /** Always grpc. */
  rpcSystem: 'rpc.system.name',
  /** Service and method. */
  rpcMethod: 'rpc.method',
  /** gRPC status by name. */
  rpcStatus: 'rpc.response.status_code',
  /** user or system. */
  cpuMode: 'cpu.mode',
  /** minor, major, incremental or weakcb. */
  gcType: 'v8js.gc.type',
  /** Part of the heap. */
  heapSpace: 'v8js.heap.space.name',
  /** Processor; ingestion counts as one where it writes watermarks. */
  processor: 'millwright.processor',
  /** What became of it; the metric says which there are. */
  outcome: 'millwright.outcome',
  /** Why a record was refused; stable. */
  reason: 'millwright.reason',
  /** Model package. */
  model: 'millwright.model.name',
  /** Version of the model package. */
  modelVersion: 'millwright.model.version',
  /** diagnosis, regression or anomaly. */
  modelTask: 'millwright.model.task',
  /** What runs models. */
  engine: 'millwright.engine',
  /** cpu, cuda or tensorrt. */
  device: 'millwright.device',
  /** Asset id of the plant file. */
  asset: 'millwright.asset',
  /** Kind of asset. */
  assetKind: 'millwright.asset.kind',
  /** Line of the plant file that the asset stands in. */
  line: 'millwright.line',
  /** control_rule, multivariate, capability, silent_signal or drift. */
  finding: 'millwright.finding',
  /** What is wrong. */
  condition: 'millwright.alarm.condition',
  /** low, medium, high or urgent. */
  priority: 'millwright.alarm.priority',
  /** unacknowledged, acknowledged or returned_unacknowledged. */
  alarmState: 'millwright.alarm.state',
  /** raised, cleared or acknowledged. */
  alarmEvent: 'millwright.alarm.event',
} as const;
