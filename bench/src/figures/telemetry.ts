import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SERVICES, ServiceProcess } from '@millwright/cli/service-process';
import { TOPICS } from '@millwright/contracts';
import { loadPlant } from '@millwright/plant';
import { startKafka, startRedis, type KafkaServer, type RedisServer } from '@millwright/servers';
import { GrpcPublisher } from '@millwright/service-ingestion';
import { quiet } from '../broker.js';
import { cpuSeconds } from '../cpu.js';
import { figure, type Measurement } from '../figure.js';
import { PumpData, writePumpPlant } from '../pumps.js';

const ROUNDS = 8;
/** Of a round, for either side: each begins as often as the other, and what slows the machine down for a while slows down both. */
const TURNS = 6;
/** Windows of each pump, before anything is measured and then in each turn. */
const WARM_UP_HOPS = 150;
const HOPS = 25;
/** Twice as often as Prometheus does by default. */
const SCRAPE_MS = 7_500;
const PATIENCE_MS = 120_000;
const SETTINGS = { MILLWRIGHT_SOURCE_IDLE_MS: '86400000', MILLWRIGHT_PARTITIONS: '2' };

/** A collector that takes all and keeps nothing. */
async function startSink(): Promise<{ readonly endpoint: string; bytes(): number; close(): void }> {
  let bytes = 0;
  const server = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => (bytes += chunk.length)).on('end', () => response.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bytes: () => bytes, close: () => server.close().closeAllConnections() };
}

/** One after the other, stretches of data of the same pumps, as fast as the line takes them. */
class FullLoad {
  readonly #data: PumpData;
  #hop = 0;
  readonly #startUs = Math.floor(Date.now() / 1000 - 86_400) * 1_000_000;

  constructor(plantPath: string) {
    this.#data = new PumpData(loadPlant(plantPath), 'bench');
  }

  get pumps(): number {
    return this.#data.assets.length;
  }

  /** Resolves when the line has dealt with all of it. */
  async run(hops: number, services: readonly ServiceProcess[]): Promise<void> {
    const publisher = new GrpcPublisher({ address: services[0]!.grpc, source: 'bench', logger: quiet(() => undefined), onRefusal: ({ description }) => { throw new Error(description); } });
    let reachedUs = 0;
    for (const until = this.#hop + hops; this.#hop < until; this.#hop++) {
      const startUs = this.#startUs + this.#hop * this.#data.hopUs;
      reachedUs = startUs + this.#data.hopUs;
      await publisher.publish({ blocks: this.#data.assets.flatMap((_, pump) => this.#data.blocks(pump, this.#hop, startUs)), production: [], advanceToUs: reachedUs });
    }
    await publisher.flush();
    publisher.close();
    const alerting = services.at(-1)!;
    for (const began = Date.now(); !(await isThrough(alerting, reachedUs)); await delay(50)) {
      if (Date.now() - began > PATIENCE_MS) throw new Error(`the line did not finish ${hops} windows a pump within ${PATIENCE_MS / 1000} s`);
    }
  }
}

/** Whether event time has come to the end of the line. */
async function isThrough(alerting: ServiceProcess, timeUs: number): Promise<boolean> {
  const inputs = (await alerting.status()).flatMap((status) => status.inputs).filter(({ topic }) => topic === TOPICS.inferences.name);
  return inputs.length > 0 && inputs.every(({ watermarkUs = 0 }) => watermarkUs >= timeUs);
}

/** The five services on a Kafka and a Redis of their own, with telemetry or without. */
class Side {
  readonly #broker: KafkaServer;
  readonly #redis: RedisServer;
  readonly #services: readonly ServiceProcess[];
  readonly #load: FullLoad;
  readonly #ended = new AbortController();
  readonly #scraping: Promise<void> | undefined;

  private constructor(broker: KafkaServer, redis: RedisServer, services: readonly ServiceProcess[], load: FullLoad, scraped: boolean) {
    this.#broker = broker;
    this.#redis = redis;
    this.#services = services;
    this.#load = load;
    if (scraped) this.#scraping = scrape(services, this.#ended.signal);
  }

  static async start(folder: string, plantPath: string, settings: Readonly<Record<string, string>>, scraped: boolean): Promise<Side> {
    const [broker, redis] = await Promise.all([startKafka(), startRedis()]);
    const logs = mkdtempSync(join(folder, 'logs-'));
    const servers = { brokers: broker.brokers, redisUrl: redis.url };
    const services = SERVICES.map((name) => new ServiceProcess(name, 1, logs, plantPath, servers, false, { ...SETTINGS, ...settings }));
    await Promise.all(services.map((service) => service.ready()));
    return new Side(broker, redis, services, new FullLoad(plantPath), scraped);
  }

  /** Works off the next windows; CPU seconds that all services together spend on one. */
  async run(hops: number): Promise<number> {
    const before = this.#cpuSeconds();
    await this.#load.run(hops, this.#services);
    return (this.#cpuSeconds() - before) / (hops * this.#load.pumps);
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#scraping;
    await Promise.all(this.#services.map((service) => service.stop()));
    await Promise.all([this.#broker.stop(), this.#redis.stop()]);
  }

  #cpuSeconds(): number {
    return this.#services.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0);
  }
}

async function scrape(services: readonly ServiceProcess[], signal: AbortSignal): Promise<void> {
  const headers = { accept: 'application/openmetrics-text' };
  while (!signal.aborted) {
    await Promise.all(services.map(async ({ http }) => (await fetch(`http://${http}/metrics`, { headers })).text()));
    await delay(SCRAPE_MS, undefined, { signal }).catch(() => undefined);
  }
}

export const telemetryMeasurement: Measurement = {
  figures: ['telemetry_overhead'],
  what: 'Telemetry: share of CPU that metrics, scrapes and traces (all sampled) add to the five services on Kafka at full load',
  async measure(progress) {
    const folder = mkdtempSync(join(tmpdir(), 'millwright-bench-'));
    const sink = await startSink();
    const sides: Side[] = [];
    try {
      const plantPath = writePumpPlant(folder);
      // Both stand side by side and work in turn, so that what drifts in the machine, or settles in a process, is the same for both.
      const off = await Side.start(folder, plantPath, { OTEL_SDK_DISABLED: 'true' }, false);
      sides.push(off);
      const on = await Side.start(folder, plantPath, { OTEL_EXPORTER_OTLP_ENDPOINT: sink.endpoint }, true);
      sides.push(on);
      for (const side of sides) await side.run(WARM_UP_HOPS);
      const overheads: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const cost = new Map([[off, 0], [on, 0]]);
        for (let turn = 0; turn < TURNS; turn++) {
          for (const side of turn % 2 === 0 ? [off, on] : [on, off]) cost.set(side, cost.get(side)! + (await side.run(HOPS)) / TURNS);
        }
        overheads.push(cost.get(on)! / cost.get(off)! - 1);
        progress(`${(cost.get(off)! * 1e3).toFixed(3)} ms of CPU a window without, ${(cost.get(on)! * 1e3).toFixed(3)} ms with (${sink.bytes()} bytes of spans so far)`);
      }
      return [figure('telemetry_overhead', overheads, 0.05, 'lower', 'ratio')];
    } finally {
      for (const side of sides) await side.stop();
      sink.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
