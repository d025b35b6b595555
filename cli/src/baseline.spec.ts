import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Finding, TelemetryBlock, TOPICS } from '@millwright/contracts';
import { loadPlant, type Plant } from '@millwright/plant';
import { parseMonitorBaseline, type MonitorBaseline } from '@millwright/quality';
import { openReplay } from '@millwright/replay';
import { createFeaturesProcessor } from '@millwright/service-features';
import { baselineFile, createQualityProcessor, loadBaselines } from '@millwright/service-quality';
import { PureRun } from '@millwright/streams';
import { makeBaseline } from './baseline.js';

/** The same baseline; another processor's Math functions may differ in the last digits. */
function expectSame(made: MonitorBaseline, ships: MonitorBaseline): void {
  const exact = ({ kind, features, alpha, count }: MonitorBaseline) => ({ kind, features, alpha, count });
  expect(exact(ships)).toEqual(exact(made));
  const numbers = ({ mean, std, eigenvalues, loadings, t2Limit, speLimit }: MonitorBaseline) => [...mean, ...std, ...eigenvalues, ...loadings.flat(), t2Limit, speLimit];
  const wanted = numbers(made);
  numbers(ships).forEach((value, i) => expect(Math.abs(value - wanted[i]!)).toBeLessThan(1e-6 * Math.max(1, Math.abs(value))));
}

const root = resolve(import.meta.dirname, '../..');
const data = join(process.env['MILLWRIGHT_DATA'] ?? join(root, '../shared/data'), 'tep');
const present = existsSync(data);
const shipped = loadPlant(join(root, 'plants/tep/plant.yaml'));

const read = async (file: string): Promise<MonitorBaseline> => parseMonitorBaseline(await readFile(file, 'utf8'), file);

describe('baseline of the tanks of the demo plant', () => {
  it('is what ships, made from simulated tanks', async () => {
    const demo = loadPlant(join(root, 'plants/demo/plant.yaml'));
    const directory = await mkdtemp(join(tmpdir(), 'millwright-baseline-'));
    const { baseline, file } = await makeBaseline({ plant: { ...demo, directory }, kind: 'tank', data: [] });
    expectSame(baseline, await read(baselineFile(demo, 'tank-normal')));
    expect(await read(file)).toEqual(baseline);
    await rm(directory, { recursive: true });
  });

  it('needs a kind with a monitor, and features that exist', async () => {
    const demo = loadPlant(join(root, 'plants/demo/plant.yaml'));
    await expect(makeBaseline({ plant: demo, kind: 'tanks', data: [] })).rejects.toThrow('plant demo has no kind tanks');
    await expect(makeBaseline({ plant: demo, kind: 'pump', data: [] })).rejects.toThrow('kind pump of plant demo has no monitor section');
    await expect(makeBaseline({ plant: demo, kind: 'tank', data: [], features: ['level.men'] })).rejects.toThrow('level.men is not a feature of kind tank');
  });
});

(present ? describe : describe.skip)(`baseline of the Tennessee Eastman process${present ? '' : ' (skipped: set MILLWRIGHT_DATA to the folder with tep)'}`, () => {
  let plant: Plant;
  let made: MonitorBaseline;
  beforeAll(async () => {
    plant = { ...shipped, directory: await mkdtemp(join(tmpdir(), 'millwright-baseline-')) };
    ({ baseline: made } = await makeBaseline({ plant, kind: 'tennessee-eastman', data: [join(data, 'd00.dat')] }));
  });
  afterAll(() => rm(plant.directory, { recursive: true }));

  it('is what ships', async () => {
    expectSame(made, await read(baselineFile(shipped, 'tep-normal')));
  });

  it('leaves normal operation that it has not seen alone, once alarms wait for six windows in a row', async () => {
    const rows = await rowsOver(plant, 'd00_te.dat');
    for (const over of [rows.t2, rows.spe]) {
      expect(over.length / 960).toBeLessThan(0.02);
      expect(firstOfSix(over)).toBeUndefined();
    }
  });

  it('sees fault 1, which enters after row 160, within twenty rows', async () => {
    const rows = await rowsOver(plant, 'd01_te.dat');
    for (const over of [rows.t2, rows.spe]) {
      expect(firstOfSix(over)).toBeGreaterThan(160);
      expect(firstOfSix(over)).toBeLessThanOrEqual(180);
    }
  });
});

/** Rows (from 1) at which T² and SPE were over their limits: file to blocks to features to findings, as live data goes. */
async function rowsOver(plant: Plant, name: string): Promise<{ t2: number[]; spe: number[] }> {
  const features = new PureRun(createFeaturesProcessor(plant));
  const quality = new PureRun(createQualityProcessor(plant, await loadBaselines(plant)));
  const { startUs, intervalUs } = plant.replay!;
  const over: { t2: number[]; spe: number[] } = { t2: [], spe: [] };
  const judge = (emissions: ReturnType<PureRun['push']>): void => {
    for (const { topic, value } of quality.push(emissions.filter(({ topic }) => topic === TOPICS.features.name))) {
      expect(topic).toBe(TOPICS.quality.name);
      const { chart, active, timeUs } = Finding.decode(value);
      if (active && (chart === 'TEP/t2' || chart === 'TEP/spe')) over[chart === 'TEP/t2' ? 't2' : 'spe'].push((timeUs - startUs) / intervalUs);
    }
  };
  const source = await openReplay(plant, join(data, name));
  for (let step = await source.next(); step !== undefined; step = await source.next()) {
    for (const block of step.blocks) judge(features.push([{ key: block.asset, value: TelemetryBlock.encode(block).finish(), timeMs: block.startUs / 1000, source: block.source, sequence: block.sequence }]));
    judge(features.watermark(step.advanceToUs));
  }
  await source.close();
  return over;
}

/** First row that is the sixth over the limit in a row. */
function firstOfSix(rows: readonly number[]): number | undefined {
  return rows.find((row, i) => rows[i - 5] === row - 5);
}
