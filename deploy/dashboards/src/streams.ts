import { RowBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { METRICS } from '@millwright/observability';
import { choice, dashboard, lines, stat } from './panels.js';
import { grown, ledger, legend, max, orZero, quantile, rate, series, seriesOf, sum } from './promql.js';

const OF = { processor: '=~"$processor"' };
const OUTCOMES = '=~"processed|dead_lettered|late|repeated"';

export const streams = dashboard('streams', 'Streams', 'Whether data get through, all of them, and how fast.')
  .withVariable(choice('processor', 'Processor', METRICS.ledgerRecords, 'processor'))
  .withPanel(stat({ title: 'Missing', description: 'Sequence numbers never seen: lost before this reader. Must be 0; look for a topic whose retention is too short, or a source that skips.' }, { expr: ledger('="missing"', OF) }, { bad: 1 }))
  .withPanel(stat({ title: 'Dead letters', description: 'Records that could not be processed, whole in <topic>.dlq with the reason. Mend the cause, then send them again.' }, { expr: ledger('="dead_lettered"', OF) }, { bad: 1 }))
  .withPanel(stat({ title: 'Late', description: 'Records after the grace of their windows, in <topic>.late. Send sooner, or lengthen window.grace.' }, { expr: ledger('="late"', OF) }, { warning: 1, bad: 1000 }))
  .withPanel(stat({ title: 'Unaccounted for', description: 'in - processed - dead-lettered - late - repeated. Not 0 for longer than a micro-batch: a defect, please report it.' }, { expr: `${ledger('="in"', OF)} - ${ledger(OUTCOMES, OF)}` }, { bad: 1 }))
  .withPanel(stat({ title: 'Stalled', description: 'Processors that make no progress; /status says why.' }, { expr: sum(series(METRICS.stalled, OF)) }, { bad: 1 }))
  .withPanel(stat({ title: 'Behind the present', description: 'Slowest event time. In replays it says nothing.', unit: 's' }, { expr: max(series(METRICS.watermarkDelay, OF)) }, { warning: 10, bad: 60 }))
  .withRow(new RowBuilder('Keeping up'))
  .withPanel(lines({ title: 'Watermark delay', description: 'How far event time is behind the clock. It grows while anything upstream is stuck; the first processor that shows it is where to look.', unit: 's' }, [{ expr: max(series(METRICS.watermarkDelay, OF), ['processor', 'topic']), legend: legend('processor', 'topic') }]))
  .withPanel(lines({ title: 'Consumer lag', description: 'Records behind the end of the log when a partition last read. Steadily growing: more instances, or more partitions.' }, [{ expr: sum(series(METRICS.lag, OF), ['processor', 'topic']), legend: legend('processor', 'topic') }]))
  .withPanel(lines({ title: 'Lag of the worst partition', description: 'Far above the others: one asset sends too much, or a partition is stuck.' }, [{ expr: max(series(METRICS.lag, OF), ['processor', 'topic', 'partition']), legend: legend('processor', 'topic', 'partition') }]))
  .withPanel(lines({ title: 'Age of the last poll', description: 'Seconds since the log last answered. Beyond the liveness limit (60 s) the process is restarted.', unit: 's' }, [{ expr: max(series(METRICS.pollAge, OF), ['processor', 'instance']), legend: legend('processor', 'instance') }]))
  .withPanel(lines({ title: 'Partitions held', description: 'By instance. Uneven or moving: instances come and go.' }, [{ expr: sum(series(METRICS.assignedPartitions, OF), ['processor', 'instance']), legend: legend('processor', 'instance') }], { stacked: true }))
  .withPanel(lines({ title: 'From event to commit, p99', description: 'Age of results when they were committed, by topic; alarms.v1 is from sample to alarm.', unit: 's' }, [{ expr: quantile(0.99, METRICS.eventLatency, ['topic'], OF), legend: legend('topic'), exemplars: true }]))
  .withRow(new RowBuilder('Ledger'))
  .withPanel(lines({ title: 'Records by outcome', description: 'What becomes of the records read.', unit: 'cps' }, [{ expr: sum(rate(METRICS.ledgerRecords, { ...OF, outcome: OUTCOMES }), ['outcome']), legend: legend('outcome') }]))
  .withPanel(lines({ title: 'Dead letters and late records in 10 minutes', description: 'By processor and topic.' }, [{ expr: sum(grown(METRICS.ledgerRecords, { ...OF, outcome: '=~"dead_lettered|late"' }, '10m'), ['processor', 'topic', 'outcome']), legend: legend('processor', 'topic', 'outcome') }]))
  .withPanel(lines({ title: 'Watermarks read', description: 'Time marks, a second: about one for each partition and writer. None: ingestion is away, and windows of idle assets stay open.', unit: 'cps' }, [{ expr: sum(rate(METRICS.ledgerWatermarks, OF), ['processor', 'topic']), legend: legend('processor', 'topic') }]))
  .withRow(new RowBuilder('Throughput'))
  .withPanel(lines({ title: 'Records read', description: 'By consumer group and topic, watermarks counted.', unit: 'cps' }, [{ expr: sum(rate(METRICS.consumedMessages), ['group', 'topic']), legend: legend('group', 'topic') }]))
  .withPanel(lines({ title: 'Records written', description: 'By topic, watermarks not counted.', unit: 'cps' }, [{ expr: sum(rate(METRICS.sentMessages), ['topic']), legend: legend('topic') }]))
  .withPanel(lines({ title: 'Micro-batches, p99', description: 'From the first record to the commit.', unit: 's' }, [{ expr: quantile(0.99, METRICS.processDuration, ['group']), legend: legend('group'), exemplars: true }]))
  .withPanel(lines({ title: 'Writes to the log, p99', description: 'commit: transactions of processors; send: requests of ingestion. Both slow: the brokers.', unit: 's' }, [{ expr: quantile(0.99, METRICS.operationDuration, ['operation']), legend: legend('operation') }]))
  .withPanel(lines({ title: 'Checkpoints, p99', description: 'Time to save state, by outcome. failed: the state store; nothing is lost, a restart takes longer.', unit: 's' }, [{ expr: quantile(0.99, METRICS.checkpointDuration, ['processor', 'outcome'], OF), legend: legend('processor', 'outcome') }]))
  .withPanel(lines({ title: 'Checkpoints that failed in 10 minutes', description: 'Not 0: see the log of the processor, and the state store.' }, [{ expr: orZero(sum(`increase(${seriesOf(METRICS.checkpointDuration, 'count', { outcome: '="failed"' })}[10m])`)), legend: 'failed' }]))
  .withRow(new RowBuilder('Ingestion'))
  .withPanel(lines({ title: 'Offered', description: 'By outcome. refused: the sender is told why.', unit: 'cps' }, [{ expr: sum(rate(METRICS.intakeRecords), ['topic', 'outcome']), legend: legend('topic', 'outcome') }]))
  .withPanel(lines({ title: 'Refusals in 10 minutes', description: 'By reason.' }, [{ expr: sum(grown(METRICS.intakeRefusals, {}, '10m'), ['reason']), legend: legend('reason') }]))
  .withPanel(lines({ title: 'Bytes on their way to the log', description: 'At MILLWRIGHT_INTAKE_BYTES senders are held back.', unit: 'bytes' }, [{ expr: sum(series(METRICS.intakeInFlight), ['instance']), legend: legend('instance') }]));
