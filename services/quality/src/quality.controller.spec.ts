import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { credentials, status } from '@grpc/grpc-js';
import { ChartType, Inspection_Result, ProductionRecord, QualityServiceClient, TOPICS, Watermark, WATERMARK_SCHEMA, type ListChartsResponse } from '@millwright/contracts';
import { createLogger, startTelemetry } from '@millwright/observability';
import { parsePlant } from '@millwright/plant';
import { readEnvironment, shellEnvironment, startShell, type RunningShell } from '@millwright/shell';
import { EmbeddedStateStore, openEmbeddedLog, partitionFor, WATERMARK_KEY, type NewRecord } from '@millwright/streams';
import { QualityModule } from './quality.module.js';

const PARTITIONS = 4;
const plant = parsePlant(
  `
name: test
enterprise: Test
sites: { S: { areas: { A: { lines: { L: { units: { U-1: { kind: unit }, U-2: { kind: unit } } } } } } } }
kinds:
  unit:
    window: { length: 10s, hop: 10s }
    signals:
      temperature: { unit: degC, rate: 1, range: [0, 100] }
    charts:
      diameter: { type: xbar-r, characteristic: diameter, subgroup: 2, baseline: 3, rules: [1], spec: { lower: 4, upper: 16 } }
`,
  '/plants/test/plant.yaml',
);

describe('quality service', () => {
  const log = openEmbeddedLog(':memory:');
  let shell: RunningShell;
  let client: QualityServiceClient;

  beforeAll(async () => {
    const env = { MILLWRIGHT_PLANT: plant.name, MILLWRIGHT_PARTITIONS: `${PARTITIONS}`, MILLWRIGHT_CHECKPOINT_MS: '100', GRPC_PORT: '0', HTTP_PORT: '0', LISTEN_HOST: '127.0.0.1' };
    const { config } = readEnvironment({ config: shellEnvironment }, env);
    const telemetry = await startTelemetry({ service: 'quality', version: 'test', instance: 'test', sampleRatio: 0 });
    shell = await startShell({ config, log, store: new EmbeddedStateStore(log), plant, logger: createLogger({ service: 'quality', level: 'fatal' }), telemetry }, [QualityModule]);
    client = new QualityServiceClient(shell.addresses.grpc, credentials.createInsecure());
  });
  afterAll(async () => {
    client.close();
    await shell.close();
    await log.close();
  });

  const listCharts = (asset: string): Promise<ListChartsResponse> =>
    new Promise((resolve, reject) => client.listCharts({ asset }, (error, response) => (error ? reject(error) : resolve(response))));

  const watermark = (sequence: number): NewRecord => ({
    topic: TOPICS.production.name,
    partition: partitionFor('U-1', PARTITIONS),
    key: WATERMARK_KEY,
    value: Watermark.encode({ timeUs: sequence * 1e6, last: false }).finish(),
    timeMs: sequence * 1000,
    headers: { schema: WATERMARK_SCHEMA, source: 'mes/watermark', sequence },
  });

  it('lists the charts of an asset with limits, points and capability', async () => {
    const records = [9, 11, 9, 11, 9, 11, 20, 22].map((value, i) => {
      const body = { $case: 'inspection', value: { unitId: `${i}`, characteristic: 'diameter', value, unit: 'mm', result: Inspection_Result.PASS } } as const;
      const record = ProductionRecord.fromPartial({ source: 'mes', sequence: i + 1, asset: 'U-1', timeUs: i * 1e6, body });
      const headers = { schema: TOPICS.production.schema, source: 'mes', sequence: i + 1 };
      return { topic: TOPICS.production.name, partition: partitionFor('U-1', PARTITIONS), key: 'U-1', value: ProductionRecord.encode(record).finish(), timeMs: i * 1000, headers };
    });
    await log.append(records);

    let charts = (await listCharts('U-1')).charts;
    // The read side follows with a checkpoint, which is taken while records come: watermarks, where there is nothing else.
    for (let sequence = 1; charts[0]!.points.length < 4; sequence++) {
      await log.append([watermark(sequence)]);
      charts = (await listCharts('U-1')).charts;
    }
    expect(charts).toHaveLength(1);
    const [chart] = charts;
    expect(chart).toMatchObject({ id: 'U-1/diameter', type: ChartType.XBAR_R, center: 10 });
    expect(chart!.upperLimit).toBeCloseTo(10 + 1.88 * 2, 3);
    expect(chart!.points.map(({ timeUs, value, rules }) => [timeUs / 1e6, value, rules])).toEqual([[1, 10, []], [3, 10, []], [5, 10, []], [7, 21, [1]]]);
    expect(chart!.cp).toBeCloseTo(12 / (6 * (2 / 1.1283791671)), 6);
    expect(chart!.ppk).toBeLessThan(chart!.cpk);
  });

  it('has charts without points for an asset that has sent nothing, and knows no others', async () => {
    const { charts } = await listCharts('U-2');
    expect(charts.map(({ id, points, cp }) => [id, points, cp])).toEqual([['U-2/diameter', [], NaN]]);
    await expect(listCharts('U-9')).rejects.toMatchObject({ code: status.NOT_FOUND, details: 'asset: "U-9" is not in the plant file of test.' });
  });
});
