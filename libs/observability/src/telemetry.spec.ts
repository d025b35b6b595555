import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import type { CommittedBatch, NewRecord } from '@millwright/streams';
import { ATTRIBUTES, METRICS } from './generated/telemetry.js';
import { runtimeTelemetry } from './runtime-telemetry.js';
import { startTelemetry } from './telemetry.js';
import { parseTraceparent } from './trace-context.js';

const OPTIONS = { service: 'millwright-test', version: '1', instance: 'one' };
const traceparent = (n: number, flags = '01') => `00-${n.toString(16).padStart(32, '0')}-${n.toString(16).padStart(16, '0')}-${flags}`;

const BATCH = { operation: 'process', topic: 'telemetry.v1', records: 3, processor: 'features', partition: 3 } as const;

/** A receiver of OTLP over HTTP. */
async function collector() {
  const bodies: Buffer[] = [];
  const paths: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
      paths.push(request.url!);
      bodies.push(Buffer.concat(chunks));
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, bodies, paths, close: () => server.close().closeAllConnections() };
}

const occurrences = (bytes: Buffer, part: Buffer): number => {
  let count = 0;
  for (let at = bytes.indexOf(part); at !== -1; at = bytes.indexOf(part, at + 1)) count++;
  return count;
};

describe('traces', () => {
  it('are off without an endpoint: no span, no traceparent, the work done all the same', async () => {
    const telemetry = await startTelemetry(OPTIONS);
    await expect(runtimeTelemetry(telemetry).span(BATCH, [traceparent(1)], (own) => Promise.resolve(own ?? 'none'))).resolves.toBe('none');
    await telemetry.shutdown();
  });

  it('have one span a micro-batch, which goes on the first trace of its records and is linked to the others, 128 at most', async () => {
    const sink = await collector();
    const telemetry = await startTelemetry({ ...OPTIONS, otlpEndpoint: sink.endpoint });
    const { span } = runtimeTelemetry(telemetry);
    const own = await span(BATCH, ['nonsense', traceparent(9, '00'), traceparent(1), traceparent(2), traceparent(2)], (given) => Promise.resolve(given));
    await span({ ...BATCH, topic: 'quality.v1' }, Array.from({ length: 300 }, (_, i) => traceparent(0x1000 + i)), () => Promise.resolve());
    await telemetry.shutdown();
    sink.close();

    expect(sink.paths).toEqual(['/v1/traces']);
    const [body] = sink.bodies as [Buffer];
    const traceId = (text: string) => Buffer.from(parseTraceparent(text)!.traceId, 'hex');
    expect(own).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(parseTraceparent(own!)!.traceId).toBe(parseTraceparent(traceparent(1))!.traceId);
    expect(occurrences(body, traceId(traceparent(1)))).toBe(1);
    expect(occurrences(body, traceId(traceparent(2)))).toBe(1);
    expect(occurrences(body, traceId(traceparent(0x1000 + 128)))).toBe(1);
    expect(occurrences(body, traceId(traceparent(0x1000 + 129)))).toBe(0);
    for (const text of ['process telemetry.v1', 'process quality.v1', 'millwright-test']) expect(body.includes(text)).toBe(true);
  });

  it('pass no traceparent on when the batch is not sampled', async () => {
    const sink = await collector();
    const telemetry = await startTelemetry({ ...OPTIONS, otlpEndpoint: sink.endpoint, sampleRatio: 0 });
    await expect(runtimeTelemetry(telemetry).span(BATCH, [], (own) => Promise.resolve(own))).resolves.toBeUndefined();
    await telemetry.shutdown();
    sink.close();
    expect(sink.bodies).toEqual([]);
  });

  it('let errors of the work through', async () => {
    const sink = await collector();
    const telemetry = await startTelemetry({ ...OPTIONS, otlpEndpoint: sink.endpoint });
    await expect(runtimeTelemetry(telemetry).span(BATCH, [], () => Promise.reject(new Error('poison')))).rejects.toThrow('poison');
    await telemetry.shutdown();
    sink.close();
    expect(sink.bodies[0]!.includes('poison')).toBe(true);
  });
});

describe('parseTraceparent', () => {
  it('takes W3C trace contexts and nothing else', () => {
    expect(parseTraceparent(traceparent(5))).toMatchObject({ traceId: '5'.padStart(32, '0'), spanId: '5'.padStart(16, '0'), traceFlags: 1, isRemote: true });
    expect(parseTraceparent(traceparent(5, '00'))).toMatchObject({ traceFlags: 0 });
    for (const wrong of ['', 'x', traceparent(0), traceparent(5).toUpperCase().replace('5', 'F'), `${traceparent(5)}-more`]) expect(parseTraceparent(wrong)).toBeUndefined();
  });
});

describe('metrics', () => {
  const written = (topic: string, timeMs: number): NewRecord => ({ topic, partition: 3, key: 'P-1', value: new Uint8Array(), timeMs, headers: { schema: '', source: '', sequence: 1 } });
  const committed: CommittedBatch = {
    processor: 'features', topic: 'telemetry.v1', partition: 3, records: 10, seconds: 0.02, commitSeconds: 0.004, results: ['features.v1'],
    outputs: [written('features.v1', Date.now() - 100_000), written('telemetry.v1.dlq', 0)], traceparent: traceparent(7),
  };

  it('count micro-batches, and measure how old results are that were committed', async () => {
    const telemetry = await startTelemetry(OPTIONS);
    const { batch } = runtimeTelemetry(telemetry);
    batch(committed);
    batch({ ...committed, records: 5 });
    const text = await telemetry.metrics('prometheus');
    await telemetry.shutdown();
    const of = 'messaging_system="kafka",messaging_consumer_group_name="features",messaging_destination_name="telemetry.v1",service_name="millwright-test"';
    expect(text).toContain(`# TYPE messaging_client_consumed_messages_total counter\nmessaging_client_consumed_messages_total{${of}} 15\n`);
    expect(text).toContain(`messaging_process_duration_seconds_count{${of}} 2\n`);
    expect(text).toContain('messaging_client_sent_messages_total{messaging_system="kafka",messaging_destination_name="telemetry.v1.dlq",service_name="millwright-test"} 2\n');
    const latency = 'millwright_event_latency_seconds_bucket{millwright_processor="features",messaging_destination_name="features.v1",service_name="millwright-test",le=';
    expect(text).toContain(`${latency}"60"} 0\n${latency}"300"} 2\n`);
    expect(text).not.toContain('trace_id');
  });

  it('have exemplars in OpenMetrics, which lead to the trace of a measurement, where it was sampled', async () => {
    const telemetry = await startTelemetry(OPTIONS);
    const { batch } = runtimeTelemetry(telemetry);
    batch(committed);
    batch({ ...committed, traceparent: undefined, outputs: [written('features.v1', Date.now() - 1_000_000)] });
    batch({ ...committed, traceparent: traceparent(8, '00'), outputs: [written('features.v1', Date.now() - 10_000_000)] });
    const lines = (await telemetry.metrics('openmetrics')).split('\n');
    await telemetry.shutdown();
    const buckets = lines.filter((line) => line.startsWith('millwright_event_latency_seconds_bucket'));
    const { traceId, spanId } = parseTraceparent(traceparent(7))!;
    expect(buckets.filter((line) => line.includes('#'))).toEqual([expect.stringMatching(new RegExp(`le="300"\\} 1 # \\{trace_id="${traceId}",span_id="${spanId}"\\} 1\\d\\d(\\.\\d+)? \\d+`))]);
    expect(lines).toContain('# TYPE messaging_client_consumed_messages counter');
    expect(lines.slice(-2)).toEqual(['# EOF', '']);
  });

  it('are one where several ask for the same, whatever kind of processor they serve', async () => {
    const telemetry = await startTelemetry(OPTIONS);
    for (const value of [2, 3]) {
      telemetry.counter(METRICS.qualityFindings).add(value, { [ATTRIBUTES.asset]: 'P-1' });
      telemetry.histogram(METRICS.gcDuration).record(value, { [ATTRIBUTES.gcType]: 'minor' });
      telemetry.upDownCounter(METRICS.rpcActive).add(-value, {});
    }
    const text = await telemetry.metrics('prometheus');
    await telemetry.shutdown();
    expect(text).toMatch(/_findings_total\{[^}]*\} 5\n/);
    expect(text).toMatch(/v8js_gc_duration_seconds_sum\{[^}]*\} 5\n/);
    expect(text).toMatch(/active_calls\{[^}]*\} -5\n/);
  });

  it('put a value that is a boundary below it, and count what is negative as 0', async () => {
    const telemetry = await startTelemetry(OPTIONS);
    telemetry.histogram(METRICS.gcDuration).recordAll([-1, 0.001, 0.0011, 7], {});
    const text = await telemetry.metrics('prometheus');
    await telemetry.shutdown();
    const counts = [...text.matchAll(/gc_duration_seconds_bucket\{[^}]*le="([^"]+)"\} (\d+)/g)].map(([, le, count]) => [le, Number(count)]);
    expect(counts).toEqual([['0.001', 2], ['0.005', 3], ['0.01', 3], ['0.05', 3], ['0.1', 3], ['0.5', 3], ['1', 3], ['+Inf', 4]]);
    expect(text).toMatch(/gc_duration_seconds_sum\{[^}]*\} 7\.0021\n/);
  });

  it('keep a bounded number of series, and count what is beyond in one', async () => {
    const telemetry = await startTelemetry(OPTIONS);
    const findings = telemetry.counter(METRICS.qualityFindings);
    for (let i = 0; i < 20_100; i++) findings.add(1, { [ATTRIBUTES.asset]: `P-${i}` });
    const series = (await telemetry.metrics('prometheus')).match(/^\w+_findings_total\{.*/gm)!;
    await telemetry.shutdown();
    expect(series).toHaveLength(20_001);
    expect(series.filter((line) => line.includes('overflow'))).toEqual([expect.stringMatching(/otel_metric_overflow="true".* 100$/)]);
  });

  it('forget the series of a gauge that is no longer observed', async () => {
    const telemetry = await startTelemetry(OPTIONS);
    let partitions = ['0', '1'];
    telemetry.observe([METRICS.lag], (report) => partitions.forEach((each) => report(METRICS.lag, 5, { [ATTRIBUTES.partition]: each })));
    expect((await telemetry.metrics('prometheus')).match(/^millwright_lag\{/gm)).toHaveLength(2);
    partitions = ['1'];
    expect((await telemetry.metrics('prometheus')).match(/^millwright_lag\{.*/gm)).toEqual([expect.stringContaining('partition_id="1"')]);
    await telemetry.shutdown();
  });
});
