import { FeatureVector, lateTopic, TelemetryBlock, TOPICS, type SourceStep } from '@millwright/contracts';
import type { AssetKind, Plant } from '@millwright/plant';
import { createFeaturesProcessor } from '@millwright/service-features';
import { PureRun } from '@millwright/streams';
import fc from 'fast-check';
import type { Case, Stage, Verdict } from '../case.js';
import { demoPlant } from '../demo.js';
import { InProcessLine, readData, simulated } from '../in-process.js';
import { randomOf } from '../random.js';

const SECONDS = 100;
/** Blocks from later on all come in time, so that what is late is so before the run ends. */
const LAST_LATE = 45;
const SHUFFLES = 25;
const SHUFFLED_SECONDS = 24;
const SHUFFLED = new Set(['P-102', 'T-201', 'S-301']);

export const late: Case = {
  name: 'late',
  claim: 'Data out of order within the grace gives the windows of the sorted data; what comes later goes to the late records and is counted.',
  async run(stage: Stage): Promise<Verdict> {
    const plant = demoPlant();
    stage.progress(`${SHUFFLES} shuffles within the grace, on the processor alone`);
    const failures = shuffled(plant, stage.seed);
    stage.progress('once through the embedded line, with blocks beyond the grace');
    const through = await throughTheLine(plant, stage.seed);
    return { ...through, identical: through.identical && failures.length === 0, failures: [...failures, ...through.failures] };
  },
};

/** Whole seconds that a block may come late and still count: windows that end after its first sample can be amended until their end and the grace have passed. */
const graceOf = ({ window: { graceUs } }: AssetKind): number => Math.floor(graceUs / 1e6);
/** Seconds after which every window that could hold a sample is final. */
const finalAfter = ({ window: { lengthUs, graceUs } }: AssetKind): number => Math.ceil((lengthUs + graceUs) / 1e6) + 1;

interface Arrival {
  readonly block: TelemetryBlock;
  /** Seconds after its turn. */
  readonly delay: number;
}

/** The same steps with their blocks in the order of arrival: those that are late stand before those whose turn it is. */
function arrivals(steps: readonly SourceStep[], delayOf: (block: TelemetryBlock, second: number) => number): Arrival[][] {
  const seconds: { late: Arrival[]; present: Arrival[] }[] = steps.map(() => ({ late: [], present: [] }));
  for (const [second, { blocks }] of steps.entries()) {
    for (const block of blocks) {
      const delay = Math.min(delayOf(block, second), steps.length - 1 - second);
      if (delay === 0) seconds[second]!.present.push({ block, delay });
      else seconds[second + delay]!.late.push({ block, delay });
    }
  }
  return seconds.map(({ late, present }) => [...late, ...present]);
}

function shuffled(plant: Plant, seed: number): string[] {
  const steps = simulated(plant, SHUFFLED_SECONDS).map((step) => ({ ...step, blocks: step.blocks.filter(({ asset }) => SHUFFLED.has(asset)) }));
  const sorted = onProcessor(plant, steps, arrivals(steps, () => 0));
  const count = steps.reduce((sum, { blocks }) => sum + blocks.length, 0);
  const result = fc.check(
    fc.property(fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: count, maxLength: count }), (draws) => {
      let next = 0;
      const delays = new Map<TelemetryBlock, number>();
      for (const { blocks } of steps) for (const block of blocks) delays.set(block, Math.floor(draws[next++]! * (graceOf(plant.assets.get(block.asset)!.kind) + 1)));
      const difference = differenceOf(sorted, onProcessor(plant, steps, arrivals(steps, (block) => delays.get(block)!)));
      if (difference !== undefined) throw new Error(difference);
    }),
    { numRuns: SHUFFLES, seed, endOnFailure: true },
  );
  return result.failed ? [`shuffled within the grace (seed ${seed}): ${result.errorInstance instanceof Error ? result.errorInstance.message : 'another result'}`] : [];
}

function onProcessor(plant: Plant, steps: readonly SourceStep[], order: readonly Arrival[][]): Map<string, string> {
  const run = new PureRun(createFeaturesProcessor(plant));
  const emissions = order.flatMap((blocks, second) => [
    ...run.push(blocks.map(({ block }) => ({ key: block.asset, value: TelemetryBlock.encode(block).finish(), timeMs: Math.floor(block.startUs / 1000), source: block.source, sequence: block.sequence }))),
    ...run.watermark(steps[second]!.advanceToUs),
  ]);
  emissions.push(...run.watermark(steps.at(-1)!.advanceToUs + 1e9));
  const [{ late, missing } = { late: 0, missing: 0 }] = run.ledger();
  const windows = lastRevisions(emissions);
  if (late + missing > 0) windows.set('ledger', `${late} late, ${missing} missing`);
  return windows;
}

/** What each window was in the end, by asset and start, but for how often it was amended. */
function lastRevisions(records: readonly { readonly topic: string; readonly value: Uint8Array }[]): Map<string, string> {
  const windows = new Map<string, string>();
  for (const { topic, value } of records) {
    if (topic !== TOPICS.features.name) continue;
    const vector = FeatureVector.decode(value);
    windows.set(`${vector.asset} ${vector.windowStartUs}`, Buffer.from(FeatureVector.encode({ ...vector, revision: 0 }).finish()).toString('base64'));
  }
  return windows;
}

function differenceOf(expected: ReadonlyMap<string, string>, actual: ReadonlyMap<string, string>): string | undefined {
  for (const id of new Set([...expected.keys(), ...actual.keys()])) {
    if (expected.get(id) !== actual.get(id)) return `window ${id} ${!actual.has(id) ? 'is missing' : !expected.has(id) ? 'is not in the sorted run' : 'is another'}`;
  }
  return undefined;
}

async function throughTheLine(plant: Plant, seed: number): Promise<Verdict> {
  const steps = simulated(plant, SECONDS);
  const draw = randomOf(seed);
  const beyond = new Set<TelemetryBlock>();
  const order = arrivals(steps, (block, second) => {
    const { kind } = plant.assets.get(block.asset)!;
    if (second > 3 && second < LAST_LATE && draw() < 0.02) {
      beyond.add(block);
      return finalAfter(kind) + Math.floor(draw() * 5);
    }
    return draw() < 0.5 ? 0 : Math.floor(draw() * (graceOf(kind) + 1));
  });
  const inTime = steps.map((step) => ({ ...step, blocks: step.blocks.filter((block) => !beyond.has(block)) }));

  const play = async (blocks: (second: number) => readonly TelemetryBlock[], check: (line: InProcessLine) => Promise<string[]>): Promise<{ windows: Map<string, string>; failures: string[] }> => {
    const line = await InProcessLine.start({ plant, on: ':memory:' });
    try {
      for (const [second, step] of steps.entries()) {
        await line.give({ ...step, blocks: blocks(second) });
        // Lateness is against the watermark: it must stand in the log before the next second comes.
        await line.drained();
      }
      return { windows: lastRevisions(await readData(line.log, [TOPICS.features.name])), failures: await check(line) };
    } finally {
      await line.close();
    }
  };
  const sorted = await play((second) => inTime[second]!.blocks, () => Promise.resolve([]));
  const disordered = await play(
    (second) => order[second]!.map(({ block }) => block),
    async (line) => {
      const failures: string[] = [];
      const records = await readData(line.log, [lateTopic(TOPICS.telemetry.name)]);
      const sent = [...beyond].map((block) => Buffer.from(TelemetryBlock.encode(block).finish()).toString('base64')).sort();
      const found = records.map(({ value }) => Buffer.from(value).toString('base64')).sort();
      if (found.join() !== sent.join()) failures.push(`${sent.length} blocks came after the grace, and ${found.length} are among the late records, or others`);
      const [entry] = line.statuses().filter(({ processor }) => processor === 'features').map(({ ledger }) => ledger.reduce((sum, { in: all, processed, late }) => ({ in: sum.in + all, processed: sum.processed + processed, late: sum.late + late }), { in: 0, processed: 0, late: 0 }));
      const total = steps.reduce((sum, { blocks }) => sum + blocks.length, 0);
      if (entry?.in !== total || entry.late !== sent.length || entry.processed !== total - sent.length) {
        failures.push(`the ledger of features has ${entry?.in} in, ${entry?.processed} processed and ${entry?.late} late; ${total} blocks were sent, ${sent.length} of them too late`);
      }
      if (line.unaccounted > 0) failures.push(`${line.unaccounted} records are not accounted for by the ledger`);
      return failures;
    },
  );
  const difference = differenceOf(sorted.windows, disordered.windows);
  const lost = [...sorted.windows.keys()].filter((id) => !disordered.windows.has(id)).length;
  return { killed: beyond.size, lost, duplicated: 0, identical: difference === undefined, failures: [...(difference === undefined ? [] : [`through the line: ${difference}`]), ...disordered.failures] };
}
