import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { runtimeTelemetry } from './runtime-telemetry.js';
import { startTelemetry } from './telemetry.js';
import { parseTraceparent } from './trace-context.js';

const OPTIONS = { service: 'millwright-test', version: '1', instance: 'one' };
const traceparent = (n: number, flags = '01') => `00-${n.toString(16).padStart(32, '0')}-${n.toString(16).padStart(16, '0')}-${flags}`;

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
    await expect(runtimeTelemetry(telemetry).span('batch', [traceparent(1)], (own) => Promise.resolve(own ?? 'none'))).resolves.toBe('none');
    await telemetry.shutdown();
  });

  it('have one span a micro-batch, linked to each trace that its records came with, 128 at most', async () => {
    const sink = await collector();
    const telemetry = await startTelemetry({ ...OPTIONS, otlpEndpoint: sink.endpoint });
    const { span } = runtimeTelemetry(telemetry);
    const own = await span('batch of features', [traceparent(1), traceparent(2), traceparent(1), 'nonsense'], (given) => Promise.resolve(given));
    await span('batch of many', Array.from({ length: 300 }, (_, i) => traceparent(0x1000 + i)), () => Promise.resolve());
    await telemetry.shutdown();
    sink.close();

    expect(sink.paths).toEqual(['/v1/traces']);
    const [body] = sink.bodies as [Buffer];
    const traceId = (text: string) => Buffer.from(parseTraceparent(text)!.traceId, 'hex');
    expect(own).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(occurrences(body, traceId(own!))).toBe(1);
    expect(occurrences(body, traceId(traceparent(1)))).toBe(1);
    expect(occurrences(body, traceId(traceparent(2)))).toBe(1);
    expect(occurrences(body, traceId(traceparent(0x1000 + 127)))).toBe(1);
    expect(occurrences(body, traceId(traceparent(0x1000 + 128)))).toBe(0);
    for (const text of ['batch of features', 'batch of many', 'millwright-test']) expect(body.includes(text)).toBe(true);
  });

  it('pass no traceparent on when the batch is not sampled', async () => {
    const sink = await collector();
    const telemetry = await startTelemetry({ ...OPTIONS, otlpEndpoint: sink.endpoint, sampleRatio: 0 });
    await expect(runtimeTelemetry(telemetry).span('batch', [], (own) => Promise.resolve(own))).resolves.toBeUndefined();
    await telemetry.shutdown();
    sink.close();
    expect(sink.bodies).toEqual([]);
  });

  it('let errors of the work through', async () => {
    const sink = await collector();
    const telemetry = await startTelemetry({ ...OPTIONS, otlpEndpoint: sink.endpoint });
    await expect(runtimeTelemetry(telemetry).span('batch', [], () => Promise.reject(new Error('poison')))).rejects.toThrow('poison');
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
  it('count micro-batches by group, topic and partition', async () => {
    const telemetry = await startTelemetry(OPTIONS);
    const { batch } = runtimeTelemetry(telemetry);
    batch({ processor: 'features', topic: 'telemetry.v1', partition: 3, records: 10, emitted: 2, seconds: 0.02, commitSeconds: 0.004 });
    batch({ processor: 'features', topic: 'telemetry.v1', partition: 3, records: 5, emitted: 1, seconds: 0.02, commitSeconds: 0.004 });
    const text = await telemetry.prometheus();
    expect(text).toContain('messaging_client_consumed_messages_total{messaging_consumer_group_name="features",messaging_destination_name="telemetry.v1",messaging_destination_partition_id="3"} 15');
    expect(text).toContain('messaging_client_sent_messages_total{messaging_consumer_group_name="features"} 3');
    expect(text).toContain('service_name="millwright-test"');
    await telemetry.shutdown();
  });
});
