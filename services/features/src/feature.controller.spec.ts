import { credentials, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FeatureServiceClient, TOPICS, Watermark, WATERMARK_SCHEMA, type GetLatestResponse, type ListLayoutsResponse } from '@millwright/contracts';
import { createLogger, startTelemetry } from '@millwright/observability';
import { readEnvironment, shellEnvironment, startShell, type RunningShell } from '@millwright/shell';
import { EmbeddedStateStore, openEmbeddedLog, partitionFor, WATERMARK_KEY, type NewRecord } from '@millwright/streams';
import { FeaturesModule } from './features.module.js';
import { block, plantOf } from './testing/fixtures.js';

const PARTITIONS = 4;
const S = 1_000_000;
const T = 1_767_571_200 * S;
const plant = plantOf('{ length: 2s, hop: 2s, grace: 4s }');

describe('features service', () => {
  const log = openEmbeddedLog(':memory:');
  let shell: RunningShell;
  let client: FeatureServiceClient;

  beforeAll(async () => {
    const env = { MILLWRIGHT_PLANT: plant.name, MILLWRIGHT_PARTITIONS: `${PARTITIONS}`, MILLWRIGHT_CHECKPOINT_MS: '100', GRPC_PORT: '0', HTTP_PORT: '0', LISTEN_HOST: '127.0.0.1' };
    const { config } = readEnvironment({ config: shellEnvironment }, env);
    const telemetry = await startTelemetry({ service: 'features', version: 'test', instance: 'test', sampleRatio: 0 });
    shell = await startShell({ config, log, store: new EmbeddedStateStore(log), plant, logger: createLogger({ service: 'features', level: 'fatal' }), telemetry }, [FeaturesModule]);
    client = new FeatureServiceClient(shell.addresses.grpc, credentials.createInsecure());
  });
  afterAll(async () => {
    client.close();
    await shell.close();
    await log.close();
  });

  const listLayouts = (): Promise<ListLayoutsResponse> => new Promise((resolve, reject) => client.listLayouts({}, (error, response) => (error ? reject(error) : resolve(response))));
  const getLatest = (asset: string): Promise<GetLatestResponse> => new Promise((resolve, reject) => client.getLatest({ asset }, (error, response) => (error ? reject(error) : resolve(response))));

  const partition = partitionFor('P-1', PARTITIONS);
  const watermark = (sequence: number): NewRecord => ({
    topic: TOPICS.telemetry.name,
    partition,
    key: WATERMARK_KEY,
    value: Watermark.encode({ timeUs: T - 1_000 * S + sequence, last: false }).finish(),
    timeMs: T / 1000,
    headers: { schema: WATERMARK_SCHEMA, source: 'ingestion/test', sequence },
  });

  it('lists the layout of every kind', async () => {
    const { layouts } = await listLayouts();
    expect(layouts.map(({ kind, names }) => [kind, names[0], names.at(-1)])).toEqual([
      ['tank', 'level.mean', 'temperature.z'],
      ['pump', 'vibration.mean', 'vibration.z'],
    ]);
    expect(new Set(layouts.map(({ id }) => id)).size).toBe(2);
  });

  it('gives the latest window of an asset from its checkpoint', async () => {
    await expect(getLatest('P-1')).rejects.toMatchObject({ code: status.NOT_FOUND, details: expect.stringMatching(/^No window of P-1 has been published yet; /) });
    const record = block({ asset: 'P-1', startUs: T, intervalUs: S / 12_000, values: { vibration: Array.from({ length: 48_000 }, (_, i) => i % 2) } });
    await log.append([{ topic: TOPICS.telemetry.name, partition, key: record.key, value: record.value, timeMs: record.timeMs, headers: { schema: TOPICS.telemetry.schema, source: 'test', sequence: 1 } }]);
    // Checkpoints are taken while records come: watermarks, where there is nothing else.
    let latest: GetLatestResponse | undefined;
    for (let sequence = 1; latest === undefined; sequence++) {
      await log.append([watermark(sequence)]);
      latest = await getLatest('P-1').catch((error: { code: status }) => {
        if (error.code !== status.NOT_FOUND) throw error;
        return undefined;
      });
    }
    expect(latest.vector).toMatchObject({ asset: 'P-1', kind: 'pump', windowStartUs: T + 2 * S, windowEndUs: T + 4 * S, revision: 0, missingRatio: 0 });
    const { layouts } = await listLayouts();
    expect(latest.vector!.layout).toBe(layouts[1]!.id);
  });

  it('refuses an asset that the plant file does not have, and none', async () => {
    await expect(getLatest('P-2')).rejects.toMatchObject({ code: status.NOT_FOUND, details: expect.stringMatching(/^asset: "P-2" is not in the plant file of test; did you mean [TP]-[12]\?$/) });
    await expect(getLatest('')).rejects.toMatchObject({ code: status.INVALID_ARGUMENT, details: 'asset: asset is empty; give the id of an asset of the plant file.' });
  });
});
