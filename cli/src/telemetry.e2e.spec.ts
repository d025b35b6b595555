import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { credentials, makeClientConstructor } from '@grpc/grpc-js';
import { AlarmEvent, AlarmEventType, TOPICS, WATERMARK_SCHEMA } from '@millwright/contracts';
import { METRICS, parseTraceparent } from '@millwright/observability';
import { service as healthService } from 'grpc-health-check';
import { parse } from 'yaml';
import { ROOT } from './home.js';
import { SERVICES, type ServiceName } from './service-process.js';
import { startDemoCluster, type DemoCluster } from './testing/demo-cluster.js';
import { startOtlpReceiver, type OtlpReceiver, type ReceivedSpan } from './testing/otlp-receiver.js';

interface Entry {
  readonly name: string;
  readonly constant: keyof typeof METRICS;
  readonly kind: string;
  readonly attributes: readonly string[];
  readonly emitted_by: 'every' | readonly ServiceName[];
}

const contract = parse(readFileSync(join(ROOT, 'libs/observability/telemetry.yaml'), 'utf8')) as { readonly metrics: readonly Entry[]; readonly spans: readonly Entry[] };
const ofService = (entries: readonly Entry[], service: ServiceName): Entry[] => entries.filter(({ emitted_by: by }) => by === 'every' || by.includes(service));

/** Drift is judged every 300 s of event time, of what came since then if that was 100 windows: wherever that begins, it is once in this time. */
const SIMULATED_SECONDS = 420;
const PROMETHEUS_TYPES: Readonly<Record<string, string>> = { counter: 'counter', updown_counter: 'gauge', gauge: 'gauge', histogram: 'histogram' };
const SPAN_KINDS: Readonly<Record<string, number>> = { server: 2, producer: 4, consumer: 5 };
const WAIT_MS = 30_000;

let receiver: OtlpReceiver;
let cluster: DemoCluster;

beforeAll(async () => {
  receiver = await startOtlpReceiver();
  cluster = await startDemoCluster({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, MILLWRIGHT_CHECKPOINT_MS: '500', MILLWRIGHT_PARTITIONS: '2' });
  await cluster.play(SIMULATED_SECONDS);
  const [alarm] = await cluster.alarms(2);
  await cluster.acknowledge(alarm!);
  const Health = makeClientConstructor(healthService, 'grpc.health.v1.Health');
  for (const { grpc } of cluster.services.values()) {
    const client = new Health(grpc, credentials.createInsecure());
    await new Promise<void>((resolve, reject) => client['check']!({ service: '' }, (error: Error | null) => (error === null ? resolve() : reject(error))));
    client.close();
  }
}, 180_000);

afterAll(async () => {
  await cluster.stop();
  receiver.close();
}, 60_000);

/** What a service says at /metrics: metric name to type and label names, service_name and le left out. */
async function emitted(service: ServiceName): Promise<Map<string, { readonly type: string; readonly labels: readonly string[] }>> {
  const text = await (await fetch(`http://${cluster.services.get(service)!.http}/metrics`)).text();
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]));
  const found = new Map<string, { type: string; labels: Set<string> }>();
  for (const [, series, labels] of text.matchAll(/^([a-z0-9_]+)\{(.*)\} \S+$/gm)) {
    const name = types.has(series!) ? series! : series!.replace(/_(bucket|sum|count)$/, '');
    const entry = found.get(name) ?? { type: types.get(name) ?? 'none', labels: new Set<string>() };
    for (const [, label] of labels!.matchAll(/([a-z0-9_]+)="/g)) if (label !== 'service_name' && label !== 'le') entry.labels.add(label!);
    found.set(name, entry);
  }
  found.delete('target_info');
  return new Map([...found].map(([name, { type, labels }]) => [name, { type, labels: [...labels].sort() }]));
}

async function until<T>(look: () => Promise<T> | T, holds: (value: T) => boolean): Promise<T> {
  for (const began = Date.now(); ; await delay(200)) {
    const value = await look();
    if (holds(value) || Date.now() - began > WAIT_MS) return value;
  }
}

describe('metrics', () => {
  it.each(SERVICES)('of %s are those of telemetry.yaml, no more and no fewer, with their types and labels', async (service) => {
    const expected = new Map(
      ofService(contract.metrics, service).map(({ constant, kind, attributes }) => [METRICS[constant].prometheus, { type: PROMETHEUS_TYPES[kind]!, labels: attributes.map((name) => name.replaceAll('.', '_')).sort() }]),
    );
    const sorted = (metrics: ReadonlyMap<string, unknown>): unknown[] => [...metrics].sort(([a], [b]) => (a < b ? -1 : 1));
    // What happens now and then (a collection of garbage, a checkpoint, a finding) may still be on its way.
    const found = await until(() => emitted(service), (metrics) => metrics.size >= expected.size);
    expect(sorted(found)).toEqual(sorted(expected));
  }, 60_000);

  it('measure the time to the alarm, with an exemplar whose trace there is', async () => {
    const alerting = cluster.services.get('alerting')!;
    const response = await fetch(`http://${alerting.http}/metrics`, { headers: { accept: 'application/openmetrics-text' } });
    expect(response.headers.get('content-type')).toContain('application/openmetrics-text');
    const traceIds = [...(await response.text()).matchAll(/^millwright_event_latency_seconds_bucket\{.*name="alarms\.v1".* # \{trace_id="([0-9a-f]{32})"/gm)].map(([, id]) => id!);
    expect(traceIds.length).toBeGreaterThan(0);
    const known = await until(() => new Set(receiver.spans.map(({ traceId }) => traceId)), (ids) => traceIds.every((id) => ids.has(id)));
    expect([...known]).toEqual(expect.arrayContaining(traceIds));
  }, 60_000);
});

describe('traces', () => {
  const entryOf = ({ name, kind }: ReceivedSpan): Entry | undefined =>
    contract.spans.find((entry) => SPAN_KINDS[entry.kind] === kind && new RegExp(`^${entry.name.replace(/\{\w+\}/, '\\S+')}$`).test(name));

  it('have the spans of telemetry.yaml, no more and no fewer, with their attributes', async () => {
    const expected = SERVICES.flatMap((service) => ofService(contract.spans, service).map(({ name }) => `millwright-${service}: ${name}`)).sort();
    const seen = () => [...new Set(receiver.spans.map((span) => `${span.service}: ${entryOf(span)?.name ?? span.name}`))].sort();
    expect(await until(seen, (found) => found.length >= expected.length)).toEqual(expected);
    for (const span of receiver.spans) expect({ name: span.name, attributes: [...span.attributes.keys()].sort() }).toEqual({ name: span.name, attributes: [...entryOf(span)!.attributes].sort() });
  }, 60_000);

  it('lead from an alarm back to the samples that it is made of, across four services', async () => {
    const alarms: string[] = [];
    const tail = await cluster.log.tail({
      topics: [TOPICS.alarms.name],
      from: 'earliest',
      batch: ({ records }) => {
        for (const { headers, value } of records) {
          if (headers.schema !== WATERMARK_SCHEMA && AlarmEvent.decode(value).type === AlarmEventType.RAISED && headers.traceparent !== undefined) alarms.push(headers.traceparent);
        }
      },
    });
    await tail.caughtUp();
    await tail.close();
    expect(alarms.length).toBeGreaterThan(0);
    const way = (): string[] | undefined => alarms.map((traceparent) => wayBack(receiver.spans, parseTraceparent(traceparent)!.spanId)).find((each) => each !== undefined);
    const found = await until(way, (each) => each !== undefined);
    expect(found).toEqual([
      'millwright-ingestion: send telemetry.v1',
      'millwright-features: process telemetry.v1',
      'millwright-inference: process features.v1',
      'millwright-alerting: process inferences.v1',
    ]);
  }, 60_000);
});

/** The way from the sending of samples to a span, in one trace; undefined where parents don't lead there. */
function wayBack(spans: readonly ReceivedSpan[], spanId: string): string[] | undefined {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const way: string[] = [];
  let span = byId.get(spanId);
  const trace = span?.traceId;
  for (; span !== undefined; span = byId.get(span.parentSpanId)) {
    if (span.traceId !== trace) return undefined;
    way.unshift(`${span.service}: ${span.name}`);
  }
  return way[0]?.endsWith('send telemetry.v1') && way.at(-1)!.endsWith('inferences.v1') ? way : undefined;
}
