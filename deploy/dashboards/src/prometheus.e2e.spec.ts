import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startDemoCluster, startOtlpReceiver, type DemoCluster, type OtlpReceiver } from '@millwright/cli/demo-cluster';
import { findCommand } from '@millwright/servers';
import { dashboards } from './index.js';
import { startPrometheus, type Prometheus } from './testing/prometheus.js';
import { choicesOf, filledIn, panelsOf } from './testing/queries.js';

const command = await findCommand('prometheus');
const absent = command === undefined ? ' (skipped: there is no prometheus on the PATH; Debian has it as the package prometheus)' : '';

const RULES = fileURLToPath(new URL('../../rules/recording.yaml', import.meta.url));
/** Simulated, of which most are played at once; what comes then is played while queries are asked, so that rates are above 0. */
const SECONDS = 200;
const STEP_SECONDS = 4;
const STEP_MS = 1_000;
const RANGE = '2m';
const WAIT_MS = 60_000;

(command === undefined ? describe.skip : describe)(`every panel on a real Prometheus, fed by the cluster${absent}`, () => {
  let receiver: OtlpReceiver;
  let cluster: DemoCluster;
  let prometheus: Prometheus;
  let playing: Promise<void>;
  const over = new AbortController();

  beforeAll(async () => {
    receiver = await startOtlpReceiver();
    cluster = await startDemoCluster({ MILLWRIGHT_PARTITIONS: '2', MILLWRIGHT_CHECKPOINT_MS: '500', OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint });
    prometheus = await startPrometheus(command!, [...cluster.services.values()].map(({ http }) => http), [RULES]);
    await cluster.play(SECONDS);
    for (const alarm of (await cluster.alarms(2)).slice(0, 2)) await cluster.acknowledge(alarm);
    playing = (async () => {
      while (!over.signal.aborted) {
        await cluster.play(STEP_SECONDS);
        await delay(STEP_MS, undefined, { signal: over.signal }).catch(() => undefined);
      }
    })();
  }, 180_000);

  afterAll(async () => {
    over.abort();
    await playing;
    await prometheus.stop();
    await cluster.stop();
    receiver.close();
  }, 60_000);

  /** Asks until all have a number in their answers; those that have none then. */
  async function unanswered(queries: ReadonlyMap<string, string>): Promise<string[]> {
    const open = new Map(queries);
    for (const began = Date.now(); open.size > 0 && Date.now() - began < WAIT_MS; await delay(500)) {
      for (const [name, expr] of open) if ((await prometheus.query(expr)).some(({ value }) => Number.isFinite(value))) open.delete(name);
    }
    return [...open.keys()];
  }

  it.each([...dashboards.keys()])('%s: no query has an empty answer', async (name) => {
    const queries = panelsOf(name, dashboards.get(name)!).flatMap(({ title, queries }) => queries.map(({ expr }, i) => [`${title} ${i}: ${filledIn(expr, RANGE)}`, filledIn(expr, RANGE)] as const));
    expect(await unanswered(new Map(queries))).toEqual([]);
  }, 90_000);

  it('keeps exemplars that lead from the latency of alarms to their traces', async () => {
    const asked = [...dashboards].flatMap(([name, dashboard]) => panelsOf(name, dashboard)).flatMap(({ queries }) => queries.filter(({ exemplars }) => exemplars));
    expect(asked.length).toBeGreaterThan(0);
    for (const { expr } of asked) expect(expr).toContain('_bucket');
    expect((await prometheus.exemplars('millwright_event_latency_seconds_bucket{messaging_destination_name="alarms.v1"}')).map(({ labels }) => labels['trace_id'])).toEqual(
      expect.arrayContaining([expect.stringMatching(/^[0-9a-f]{32}$/)]),
    );
  }, 60_000);

  it.each([...dashboards.keys()])('%s: every choice has something to choose, but for namespaces, of which there is none here', async (name) => {
    for (const { label, selector } of choicesOf(dashboards.get(name)!)) {
      if (label !== 'namespace') expect({ label, values: (await prometheus.labelValues(label, selector)).length > 0 }).toEqual({ label, values: true });
    }
  });
});
