import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { credentials, type ServiceError } from '@grpc/grpc-js';
import { AlarmServiceClient, packFloat64, unpackFloat64, type Alarm, type ListAlarmsResponse, type SignalValues, type SourceStep, type TelemetryBlock } from '@millwright/contracts';
import { loadPlant } from '@millwright/plant';
import { startKafka, startRedis } from '@millwright/servers';
import { GrpcPublisher } from '@millwright/service-ingestion';
import { createSimulator } from '@millwright/simulator';
import { openKafkaLog, type EventLog } from '@millwright/streams';
import { shifted } from '../from-now.js';
import { ROOT } from '../home.js';
import { SERVICES, ServiceProcess, type ServiceName } from '../service-process.js';

export { startOtlpReceiver, type OtlpReceiver } from './otlp-receiver.js';

/** The demo plant on five services of their own, on a real Kafka and Redis of their own: for looking at what they tell of themselves. */
export interface DemoCluster {
  readonly log: EventLog;
  readonly services: ReadonlyMap<ServiceName, ServiceProcess>;
  /**
   * Plays the next seconds of the simulated plant, in which one sensor is silent and one has an offset, as fast as they are taken, and
   * one block that is refused. Event time has come to the clock's at the end of the first call, give or take a second.
   */
  play(seconds: number): Promise<void>;
  /** Alarms that are not normal, as soon as there are at least so many. */
  alarms(atLeast: number): Promise<readonly Alarm[]>;
  acknowledge(alarm: Alarm): Promise<void>;
  stop(): Promise<void>;
}

/** A sensor that sends nothing. */
const SILENT = { asset: 'T-204', signal: 'steam_flow' };
/** A sensor that no model was trained with as it is now; the offset is in amperes. */
const OFFSET = { asset: 'P-105', signal: 'current', by: 15 };
const PLANT = join(ROOT, 'plants', 'demo', 'plant.yaml');
const DEADLINE_MS = 60_000;

/** @param settings variables of the services' environment */
export async function startDemoCluster(settings: Readonly<Record<string, string>> = {}): Promise<DemoCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'millwright-demo-'));
  const logger = { info: () => undefined, warn: (_: object, message: string) => console.warn(message), error: (_: object, message: string) => console.error(message) };
  const [kafka, redis] = await Promise.all([startKafka(), startRedis()]);
  const servers = { brokers: kafka.brokers, redisUrl: redis.url };
  const services = new Map(SERVICES.map((name) => [name, new ServiceProcess(name, 1, folder, PLANT, servers, false, settings)]));
  await Promise.all([...services.values()].map((each) => each.ready()));
  const log = openKafkaLog({ brokers: kafka.brokers, clientId: 'demo-cluster', logger });
  const plant = loadPlant(PLANT);
  const source = createSimulator(plant, 'simulation/demo');
  const publisher = new GrpcPublisher({ address: services.get('ingestion')!.grpc, source: source.name, logger, onRefusal: () => undefined });
  const alarmService = new AlarmServiceClient(services.get('alerting')!.grpc, credentials.createInsecure());
  /** From the simulation's calendar to ours. */
  let offsetUs: number | undefined;
  return {
    log,
    services,
    async play(seconds) {
      let untilUs = Infinity;
      for (;;) {
        const step = await source.next();
        if (step === undefined) throw new Error('the simulation has ended');
        // Whole seconds: windows begin at multiples of their hop, as the simulated bursts do.
        offsetUs ??= Math.floor((Date.now() * 1000 - step.advanceToUs) / 1e6 - seconds) * 1e6;
        if (untilUs === Infinity) untilUs = step.advanceToUs + seconds * 1_000_000;
        await publisher.publish(asMeasured(shifted(step, offsetUs)));
        if (step.advanceToUs < untilUs) continue;
        const [block] = step.blocks;
        if (block !== undefined) await publisher.publish({ blocks: [{ ...block, asset: 'no-such-asset' }], production: [], advanceToUs: step.advanceToUs + offsetUs });
        break;
      }
      await publisher.flush();
    },
    async alarms(atLeast) {
      const began = Date.now();
      for (;;) {
        const { groups } = await new Promise<ListAlarmsResponse>((resolve, reject) =>
          alarmService.listAlarms({ asset: '', pageSize: 0, pageToken: '' }, (error: ServiceError | null, response) => (error === null ? resolve(response) : reject(error))),
        );
        const alarms = groups.flatMap((group) => group.alarms);
        if (alarms.length >= atLeast) return alarms;
        if (Date.now() - began > DEADLINE_MS) throw new Error(`${alarms.length} alarms in ${DEADLINE_MS / 1000} s, not ${atLeast}`);
        await delay(100);
      }
    },
    acknowledge: ({ id, occurrence }) =>
      new Promise((resolve, reject) => {
        alarmService.acknowledgeAlarm({ alarmId: id, occurrence, by: 'test', comment: '' }, (error) => (error === null ? resolve() : reject(error)));
      }),
    async stop() {
      publisher.close();
      alarmService.close();
      await source.close();
      await Promise.all([...services.values()].map((each) => each.stop()));
      await log.close();
      await Promise.all([kafka.stop(), redis.stop()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What the plant's sensors say of it. */
function asMeasured(step: SourceStep): SourceStep {
  const isOf = (sensor: { readonly asset: string; readonly signal: string }, { asset }: TelemetryBlock, { signal }: SignalValues): boolean => asset === sensor.asset && signal === sensor.signal;
  return {
    ...step,
    blocks: step.blocks.map((block) => ({
      ...block,
      signals: block.signals
        .filter((each) => !isOf(SILENT, block, each))
        .map((each) => (isOf(OFFSET, block, each) ? { ...each, values: packFloat64(unpackFloat64(each.values).map((value) => value + OFFSET.by)) } : each)),
    })),
  };
}
