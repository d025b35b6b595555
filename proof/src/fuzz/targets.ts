import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { AlarmCommand, ChartType, deadLetterTopic, DeadLetter, Finding, FindingKind, TelemetryBlock, ProductionRecord, TOPICS, type SourceStep } from '@millwright/contracts';
import { loadPackage } from '@millwright/models';
import { parsePlant } from '@millwright/plant';
import { parseMonitorBaseline } from '@millwright/quality';
import { openReplay } from '@millwright/replay';
import { createAlertingProcessor } from '@millwright/service-alerting';
import { createFeaturesProcessor } from '@millwright/service-features';
import { createInferenceProcessor, startModels } from '@millwright/service-inference';
import { createQualityProcessor, loadBaselines } from '@millwright/service-quality';
import { PureRun, type AnyProcessor, type LogRecord, type PureRecord } from '@millwright/streams';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { demoFolder, demoPlant } from '../demo.js';
import { simulated } from '../in-process.js';

/** Something that reads bytes from outside. */
export interface Target {
  readonly name: string;
  readonly seeds: readonly Uint8Array[];
  /** Returns whether it took the input for valid. @throws what the input is refused with */
  read(bytes: Uint8Array, random: (below: number) => number): boolean | Promise<boolean>;
  /** Whether a refusal is one that the project makes on purpose. */
  isRefusal(error: Error): boolean;
}

/** Named by class or by what it says: a refusal made by the project in one line, and no accident of the code. */
const named = (...names: string[]) => (error: Error): boolean => names.includes(error.name) && oneLine(error);
const oneLine = ({ message }: Error): boolean => message.length > 10 && !message.trimEnd().includes('\n');
const ACCIDENTS = /is not a function|is not iterable|Cannot read propert|Cannot set propert|undefined|out of memory|call stack|Invalid array length|Array buffer allocation/;

const demo = demoPlant();
const SECONDS = 40;

/** All decoders, made ready. */
export async function targets(): Promise<Target[]> {
  const steps = simulated(demo, SECONDS);
  const baselines = await loadBaselines(demo);
  const silent = { info: () => undefined, warn: () => undefined };
  const models = await startModels(demo, { workers: 1 }, silent);
  const processors = {
    features: createFeaturesProcessor(demo),
    inference: createInferenceProcessor(demo, models),
    quality: createQualityProcessor(demo, baselines),
    alerting: createAlertingProcessor(demo),
  };
  const log = await line(processors, steps);
  await models.close();
  return [
    ...[processors.features, processors.quality, processors.alerting].flatMap((processor) => processor.inputs.map((topic) => recordTarget(processor, topic, log.records.get(topic) ?? []))),
    { name: 'inference: FeatureVector', seeds: log.records.get(TOPICS.features.name)!.map(({ value }) => value), read: (value) => decoded(processors.inference, value), isRefusal: ({ message }) => !ACCIDENTS.test(message) },
    ...Object.entries(processors).map(([name, processor]) => stateTarget(name, processor, log.states.get(name)!)),
    plantTarget(),
    ...['csv', 'tsv', 'csv.gz', 'dat', 'parquet'].map(replayTarget),
    manifestTarget(),
    baselineTarget(),
  ];
}

/** What goes to the dead letters may come of any error, since that is where it belongs; but accidents of the code are told apart. */
const sane = (error: Error): boolean => !ACCIDENTS.test(error.message) && oneLine(error);

/** Rare in the seconds that are played, so made by hand. */
const FINDING: PureRecord = {
  key: 'S-301',
  timeMs: 1_767_592_800_000,
  value: Finding.encode(Finding.fromPartial({ asset: 'S-301', chart: 'S-301/diameter', chartType: ChartType.XBAR_R, finding: FindingKind.CONTROL_RULE, timeUs: 1_767_592_800_000_000, active: true, rules: [1], value: 26, center: 25, lowerLimit: 24.9, upperLimit: 25.1, description: 'diameter: mean 26.' })).finish(),
};
const COMMAND: PureRecord = {
  key: 'S-301',
  timeMs: 1_767_592_800_000,
  value: AlarmCommand.encode(AlarmCommand.fromPartial({ asset: 'S-301', alarmId: 'S-301/quality/diameter', timeUs: 1_767_592_800_000_000, command: { $case: 'acknowledge', value: { occurrence: 1, by: 'somebody', comment: 'seen' } } })).finish(),
};

interface Played {
  readonly records: ReadonlyMap<string, readonly PureRecord[]>;
  /** Encoded states of some assets, by processor. */
  readonly states: ReadonlyMap<string, readonly Uint8Array[]>;
}

/** Plays the line without a log; state of each processor is caught as it passes. */
async function line(processors: Readonly<Record<'features' | 'inference' | 'quality' | 'alerting', AnyProcessor>>, steps: readonly SourceStep[]): Promise<Played> {
  const states = new Map<string, Uint8Array[]>();
  const caught = (processor: AnyProcessor): AnyProcessor => {
    const kept = new Map<string, unknown>();
    return {
      ...processor,
      name: processor.name,
      decode: (record) => processor.decode(record),
      initial: (key) => {
        const state: unknown = processor.initial(key);
        kept.set(key, state);
        return state;
      },
      onRecord: (message, state, context, record) => {
        const emissions = processor.onRecord(message, state, context, record);
        const encoded = [...kept.values()].map((each) => processor.codec.encode(each));
        states.set(processor.name, encoded);
        return emissions;
      },
      ...(processor.onTimer && { onTimer: (timeUs: number, state: unknown, context: Parameters<NonNullable<AnyProcessor['onTimer']>>[2]) => processor.onTimer!(timeUs, state, context) }),
    };
  };
  const ofBlocks = steps.flatMap(({ blocks }) => blocks.map((block): PureRecord => ({ key: block.asset, value: TelemetryBlock.encode(block).finish(), timeMs: block.startUs / 1000 })));
  const production = steps.flatMap((step) => step.production.map((each): PureRecord => ({ topic: TOPICS.production.name, key: each.asset, value: ProductionRecord.encode(each).finish(), timeMs: each.timeUs / 1000 })));
  const features = new PureRun(caught(processors.features)).push(ofBlocks);
  const quality = new PureRun(caught(processors.quality)).push([...features, ...production]);
  const inference = caught(processors.inference);
  const byKey = new Map<string, unknown>();
  const inferences: PureRecord[] = [];
  for (const [offset, record] of features.entries()) {
    const asRecord: LogRecord = { ...record, partition: 0, offset, headers: { schema: record.schema, source: 's', sequence: 0 } };
    if (!byKey.has(record.key)) byKey.set(record.key, inference.initial(record.key));
    inferences.push(...(await inference.onRecord(inference.decode(asRecord), byKey.get(record.key), {} as never, asRecord)));
  }
  new PureRun(caught(processors.alerting)).push([...inferences, ...quality.filter(({ topic }) => topic === TOPICS.quality.name)]);
  const some = (records: readonly PureRecord[]): PureRecord[] => records.filter((_, i) => i % Math.ceil(records.length / 40) === 0);
  return {
    records: new Map([
      [TOPICS.telemetry.name, some(ofBlocks)], [TOPICS.production.name, some(production)], [TOPICS.features.name, some(features)],
      [TOPICS.inferences.name, some(inferences)],
      [TOPICS.quality.name, [FINDING, ...some(quality.filter(({ topic }) => topic === TOPICS.quality.name))]],
      [TOPICS.alarmCommands.name, [COMMAND]],
    ]),
    states,
  };
}

/** Mutated records of one topic, among good ones, through the whole runtime core: they go to the dead letters, or are taken. */
function recordTarget(processor: AnyProcessor, topic: string, good: readonly PureRecord[]): Target {
  let run = new PureRun(processor);
  let count = 0;
  let reached = good[0]?.timeMs ?? 0;
  return {
    name: `${processor.name}: ${topic}`,
    seeds: good.map(({ value }) => value),
    read(value, random) {
      if (++count % 500 === 0) run = new PureRun(processor);
      const { key, timeMs } = good[random(good.length)] ?? { key: 'P-102', timeMs: 0 };
      const headers = random(10) > 0 ? {} : { schema: ['x', 'millwright.telemetry.v9.TelemetryBlock', ''][random(3)]!, sequence: [NaN, -1, 1e308, 2 ** 53, 1.5][random(5)]!, source: 's'.repeat(random(2_000)) };
      const out = run.push([{ topic, key, value, timeMs, ...headers }]);
      if (random(20) === 0) run.watermark((reached += 1_000) * 1_000, topic);
      const letter = out.find((each) => each.topic === deadLetterTopic(topic));
      if (letter === undefined) return true;
      throw new Error(DeadLetter.decode(letter.value).error);
    },
    isRefusal: sane,
  };
}

function decoded(processor: AnyProcessor, value: Uint8Array): boolean {
  processor.decode({ topic: TOPICS.features.name, partition: 0, offset: 0, key: 'P-102', value, timeMs: 0, headers: { schema: '', source: '', sequence: 0 } });
  return true;
}

function stateTarget(name: string, { codec, stateVersion }: AnyProcessor, seeds: readonly Uint8Array[]): Target {
  return {
    name: `${name}: state`,
    seeds,
    read(bytes) {
      // What can be read can be written again.
      codec.encode(codec.decode(bytes, stateVersion));
      return true;
    },
    // Whatever is wrong, the runtime then builds the state anew from the log, and says why.
    isRefusal: () => true,
  };
}

function plantTarget(): Target {
  const path = join(demoFolder, 'plant.yaml');
  return {
    name: 'plant file',
    seeds: [readFileSync(path)],
    read(bytes) {
      parsePlant(Buffer.from(bytes).toString(), path);
      return true;
    },
    // One line a problem.
    isRefusal: (error) => error.name === 'PlantFileError' && error.message.split('\n').every((each) => /^\S/.test(each)),
  };
}

/** Two tanks, ten rows, as each format has them. */
function rows(separator: string): string {
  const names = ['time', 'asset', 'level', 'temperature', 'feed_flow'];
  const lines = Array.from({ length: 12 }, (_, i) => [new Date(1_767_592_800_000 + 500 * (i >> 1)).toISOString(), `T-20${1 + (i % 2)}`, 1 + i / 10, 60 - i / 7, i % 3 === 0 ? '' : 1.5]);
  return [names, ...lines].map((cells) => cells.join(separator)).join('\n');
}

function replayTarget(extension: string): Target {
  const folder = mkdtempSync(join(tmpdir(), 'millwright-fuzz-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, `a.${extension}`);
  return {
    name: `replay of .${extension}`,
    seeds: [seedOf(extension)],
    async read(bytes) {
      writeFileSync(file, bytes);
      let refused = 0;
      const replay = await openReplay(demo, file, { onRefusal: ({ message }) => (refused += oneLine(new Error(message)) ? 1 : NaN) });
      try {
        while ((await replay.next()) !== undefined);
      } finally {
        await replay.close();
      }
      if (Number.isNaN(refused)) throw new Error('a row is refused without a sentence in one line');
      return refused === 0;
    },
    isRefusal: named('ReplayError'),
  };
}

function seedOf(extension: string): Uint8Array {
  if (extension === 'csv') return Buffer.from(rows(','));
  if (extension === 'csv.gz') return gzipSync(rows(','));
  if (extension === 'tsv') return Buffer.from(rows('\t'));
  if (extension === 'dat') return Buffer.from(rows(' '));
  const table = rows(',').split('\n').slice(1).map((each) => each.split(','));
  return new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: 'time', data: table.map(([time]) => new Date(time!)), type: 'TIMESTAMP' },
        { name: 'asset', data: table.map(([, asset]) => asset!), type: 'STRING' },
        { name: 'level', data: table.map(([, , level]) => Number(level)), type: 'DOUBLE' },
      ],
    }),
  );
}

function manifestTarget(): Target {
  const models = join(demoFolder, 'models');
  const folder = mkdtempSync(join(tmpdir(), 'millwright-fuzz-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'model.onnx'), readFileSync(join(models, readdirSync(models)[0]!, 'model.onnx')));
  return {
    name: 'model package',
    seeds: readdirSync(models).map((name) => readFileSync(join(models, name, 'manifest.json'))),
    async read(bytes) {
      writeFileSync(join(folder, 'manifest.json'), bytes);
      await loadPackage(folder);
      return true;
    },
    isRefusal: named('ModelPackageError'),
  };
}

function baselineTarget(): Target {
  const folder = join(demoFolder, 'baselines');
  return {
    name: 'baseline file',
    seeds: readdirSync(folder).map((name) => readFileSync(join(folder, name))),
    read(bytes) {
      parseMonitorBaseline(Buffer.from(bytes).toString(), 'baseline.json');
      return true;
    },
    isRefusal: named('BaselineError'),
  };
}
