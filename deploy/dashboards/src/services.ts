import { METRICS } from '@millwright/observability';
import { choice, dashboard, lines, stat } from './panels.js';
import { count, legend, max, quantile, rate, rateOf, series, sum } from './promql.js';

const OF = { service: '=~"$service"' };

export const services = dashboard('services', 'Services', 'The processes themselves: CPU, memory, event loop, gRPC.')
  .withVariable(choice('service', 'Service', METRICS.uptime, 'service'))
  .withPanel(stat({ title: 'Instances', description: 'Processes that are scraped.', width: 6 }, { expr: count(series(METRICS.uptime, OF)) }))
  .withPanel(stat({ title: 'Youngest', description: 'Time since the last start of any of them.', unit: 's', width: 6 }, { expr: `min(${series(METRICS.uptime, OF)})` }))
  .withPanel(stat({ title: 'Calls', description: 'gRPC calls that ended, a second.', unit: 'cps', width: 6 }, { expr: sum(rateOf(METRICS.rpcDuration, 'count', OF)) }))
  .withPanel(stat({ title: 'Open calls', description: 'Streams of gateways and watchers among them.', width: 6 }, { expr: sum(series(METRICS.rpcActive, OF)) }))
  .withPanel(lines({ title: 'CPU', description: 'Cores in use.', unit: 'none' }, [{ expr: sum(rate(METRICS.cpuTime, OF), ['service', 'instance']), legend: legend('service', 'instance') }]))
  .withPanel(lines({ title: 'Memory', description: 'Resident.', unit: 'bytes' }, [{ expr: sum(series(METRICS.memoryUsage, OF), ['service', 'instance']), legend: legend('service', 'instance') }]))
  .withPanel(lines({ title: 'Heap', description: 'Of JavaScript. Rising without end: please report it, with a heap snapshot.', unit: 'bytes' }, [{ expr: sum(series(METRICS.heapUsed, OF), ['service', 'instance']), legend: legend('service', 'instance') }]))
  .withPanel(lines({ title: 'Event loop', description: 'Share of time busy. Near 1 the process is full: more instances.', unit: 'percentunit' }, [{ expr: max(series(METRICS.eventLoopUtilization, OF), ['service', 'instance']), legend: legend('service', 'instance') }]))
  .withPanel(lines({ title: 'Event loop delay, p99', description: 'How late timers fire.', unit: 's' }, [{ expr: max(series(METRICS.eventLoopDelayP99, OF), ['service', 'instance']), legend: legend('service', 'instance') }]))
  .withPanel(lines({ title: 'Garbage collection', description: 'Share of time.', unit: 'percentunit' }, [{ expr: sum(rateOf(METRICS.gcDuration, 'sum', OF), ['service', 'gcType']), legend: legend('service', 'gcType') }]))
  .withPanel(lines({ title: 'Calls by status', description: 'gRPC calls that ended, a second.', unit: 'cps' }, [{ expr: sum(rateOf(METRICS.rpcDuration, 'count', OF), ['rpcMethod', 'rpcStatus']), legend: legend('rpcMethod', 'rpcStatus') }]))
  .withPanel(lines({ title: 'Calls, p99', description: 'From the first byte to the status; streams last as long as their clients like.', unit: 's' }, [{ expr: quantile(0.99, METRICS.rpcDuration, ['rpcMethod'], OF), legend: legend('rpcMethod'), exemplars: true }]));
