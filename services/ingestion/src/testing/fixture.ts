import { credentials } from '@grpc/grpc-js';
import { Encoding, IngestionServiceClient, packFloat32, ProductionServiceClient, type TelemetryBlock } from '@millwright/contracts';
import { createLogger, noTelemetry } from '@millwright/observability';
import { parsePlant } from '@millwright/plant';
import { shellEnvironment, startShell, type RunningShell } from '@millwright/shell';
import { EmbeddedStateStore, openEmbeddedLog, type EmbeddedLog, type EventLog } from '@millwright/streams';
import { IngestionModule } from '../ingestion.module.js';
import { DEFAULT_SETTINGS, type IngestionSettings } from '../settings.js';

export const PLANT = parsePlant(
  `
name: test
enterprise: Test
sites: { Here: { areas: { Hall: { lines: { One: { units: { P-1: { kind: pump }, P-2: { kind: pump } } } } } } } }
kinds:
  pump:
    window: { length: 1s, hop: 1s, grace: 1s }
    signals:
      temperature: { unit: degC, every: 1s, range: [-40, 200], nan: reject }
      vibration: { unit: g, every: 1ms, range: [-50, 50] }
`,
  'test.yaml',
);

/** Event time at which the tests' data begins: long past, as in a replay. */
export const START_US = 1_700_000_000_000_000;

/** A good block of P-1 with four samples of each signal, changed as asked. */
export function block(changes: Partial<TelemetryBlock> = {}): TelemetryBlock {
  return {
    source: 'gateway',
    sequence: 1,
    asset: 'P-1',
    startUs: START_US,
    intervalUs: 250_000,
    count: 4,
    offsetsUs: new Uint8Array(),
    signals: [
      { signal: 'temperature', unit: 'degC', encoding: Encoding.FLOAT32, values: packFloat32(Float32Array.of(20, 21, 22, 23)) },
      { signal: 'vibration', unit: '', encoding: Encoding.FLOAT32, values: packFloat32(Float32Array.of(0, NaN, 1, -1)) },
    ],
    ...changes,
  };
}

export interface Fixture {
  readonly log: EmbeddedLog;
  readonly shell: RunningShell;
  readonly ingestion: IngestionServiceClient;
  readonly production: ProductionServiceClient;
  close(): Promise<void>;
}

/** The ingestion service on an embedded log in memory, over real gRPC; `wrap` stands between it and the log. */
export async function startIngestion(settings: Partial<IngestionSettings> = {}, wrap: (log: EventLog) => EventLog = (log) => log, grpcPort = 0): Promise<Fixture> {
  const log = openEmbeddedLog(':memory:');
  const config = shellEnvironment.parse({ MILLWRIGHT_PLANT: 'test.yaml', LISTEN_HOST: '127.0.0.1', GRPC_PORT: String(grpcPort), HTTP_PORT: '0', MILLWRIGHT_PARTITIONS: '3', MILLWRIGHT_SHUTDOWN_MS: '2000' });
  const logger = createLogger({ service: 'test', level: 'silent' });
  const shell = await startShell(
    { config, log: wrap(log), store: new EmbeddedStateStore(log), plant: PLANT, logger, telemetry: noTelemetry },
    [IngestionModule.forRoot({ ...DEFAULT_SETTINGS, ...settings })],
  );
  const ingestion = new IngestionServiceClient(shell.addresses.grpc, credentials.createInsecure());
  const production = new ProductionServiceClient(shell.addresses.grpc, credentials.createInsecure());
  return {
    log,
    shell,
    ingestion,
    production,
    async close() {
      ingestion.close();
      production.close();
      await shell.close();
      await log.close();
    },
  };
}

/** A log whose appends of data wait for `gate`, or fail as `gate` does; watermarks pass. */
export const gated = (log: EventLog, topic: string, gate: () => Promise<void>): EventLog =>
  new Proxy(log, {
    get(target, name) {
      if (name === 'append') {
        const append: EventLog['append'] = async (records) => {
          if (records[0]?.topic === topic && !records[0].key.startsWith('~')) await gate();
          await target.append(records);
        };
        return append;
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
