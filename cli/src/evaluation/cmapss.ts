import { conformalHalfWidth, matrixOf, predictBoosted, Random, takeRows, trainBoosting, type Matrix } from '@millwright/learning';
import type { DataFolder } from './data-folder.js';
import type { Benchmark, FigureSpec } from './figure.js';

const SENSORS = 21;
/** Remaining life above which an engine just counts as healthy, cycles (Heimes 2008, PHM; every study since). */
const CAP = 125;
const SEEDS = 5;
const FOLDS = 5;
const COVERAGE = 0.9;
/** Cycles that an engine must have run before it is judged in training. */
const FIRST = 10;
/** Every how many cycles a training engine is judged. */
const STEP = 2;
const MEANS = [5, 10, 20, 30, 50];
const SLOPES = [30, 100];
const SPREAD = 30;

const TREES = { objective: { kind: 'squared' }, rounds: 400, learningRate: 0.03, leaves: 15, leafRows: 40, l2: 10, rowShare: 0.7, columnShare: 0.3, bins: 64 } as const;

const rmseSpec = (name: string, goal: number, published: string): FigureSpec => ({ name, goal, better: 'lower', unit: 'cycles', published });

/**
 * Remaining useful life of turbofan engines (NASA C-MAPSS): one prediction for each test engine at its last cycle, root mean
 * square error with the true life capped at 125 cycles; uncapped in a note. Boosted trees on how condition-normalised sensors
 * stand and move; five seeds averaged. Intervals are conformal, from residuals of training engines that a model had not seen.
 */
export const cmapss: Benchmark = {
  name: 'C-MAPSS',
  folder: 'cmapss',
  figures: [
    rmseSpec('cmapss_fd001_rmse', 11.4, 'MS-DCNN 11.44, MTSTAN 10.97, FFVE 12.31'),
    rmseSpec('cmapss_fd002_rmse', 12.4, 'FFVE 12.55; without cap MTSTAN 16.81'),
    { name: 'cmapss_coverage', goal: 0.88, better: 'higher', unit: 'share (88 to 92 %)', published: 'nominal 0.90' },
  ],
  async measure(data, note) {
    const measured: Record<string, number[]> = {};
    let covered = 0;
    let intervals = 0;
    for (const set of ['FD001', 'FD002']) {
      if (!data.has(`train_${set}.txt`)) continue;
      const figures = await remainingLife(data, set);
      measured[`cmapss_${set.toLowerCase()}_rmse`] = [figures.capped];
      note(
        `${set}: ${figures.engines} engines, RMSE ${figures.capped.toFixed(2)} capped (single seeds ${figures.seeds.map((each) => each.toFixed(2)).join(', ')}), ${figures.uncapped.toFixed(2)} uncapped; score ${figures.score.toFixed(0)} capped; ` +
          `90 % intervals cover ${((100 * figures.covered) / figures.engines).toFixed(1)} %, mean width ${figures.width.toFixed(1)} cycles`,
      );
      covered += figures.covered;
      intervals += figures.engines;
    }
    if (intervals > 0) measured['cmapss_coverage'] = [covered / intervals];
    return measured;
  },
};

interface LifeFigures {
  readonly engines: number;
  readonly capped: number;
  readonly uncapped: number;
  readonly seeds: readonly number[];
  readonly score: number;
  readonly covered: number;
  readonly width: number;
}

async function remainingLife(data: DataFolder, set: string): Promise<LifeFigures> {
  const training = enginesOf(await data.numbers(`train_${set}.txt`));
  const test = enginesOf(await data.numbers(`test_${set}.txt`));
  const truth = (await data.numbers(`RUL_${set}.txt`)).map(([life]) => life!);
  const normaliser = fitNormaliser(training);
  const rows: Float64Array[] = [];
  const lives: number[] = [];
  const engines: number[] = [];
  training.forEach((engine, index) => {
    const trends = new Trends(normaliser(engine));
    for (let cycle = FIRST; cycle <= engine.length; cycle += STEP) {
      rows.push(trends.at(cycle));
      lives.push(Math.min(CAP, engine.length - cycle));
      engines.push(index);
    }
  });
  const inputs = matrixOf(rows);
  const asked = matrixOf(test.map((engine) => new Trends(normaliser(engine)).at(engine.length)));
  const bySeed = Array.from({ length: SEEDS }, (_, seed) => fitAndPredict(inputs, lives, asked, seed));
  const predicted = Array.from(truth, (_, i) => bySeed.reduce((sum, each) => sum + each[i]!, 0) / SEEDS);
  const capped = truth.map((life) => Math.min(CAP, life));
  const halfWidth = conformalHalfWidth(heldOut(inputs, lives, engines, training.length), lives, COVERAGE);
  let covered = 0;
  let width = 0;
  let score = 0;
  predicted.forEach((life, i) => {
    const half = halfWidth(life);
    if (Math.abs(life - capped[i]!) <= half) covered++;
    width += Math.min(CAP, life + half) - Math.max(0, life - half);
    const late = life - capped[i]!;
    score += Math.exp(late < 0 ? -late / 13 : late / 10) - 1;
  });
  return {
    engines: truth.length,
    capped: rmse(predicted, capped),
    uncapped: rmse(predicted, truth),
    seeds: bySeed.map((each) => rmse(each, capped)),
    score,
    covered,
    width: width / truth.length,
  };
}

function fitAndPredict(inputs: Matrix, lives: ArrayLike<number>, asked: Matrix, seed: number): Float64Array {
  return predictBoosted(trainBoosting(inputs, lives, { ...TREES, seed }), asked).map((life) => Math.min(CAP, Math.max(0, life)));
}

/** What models say of engines that they were not fitted on. */
function heldOut(inputs: Matrix, lives: readonly number[], engines: readonly number[], count: number): Float64Array {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  new Random(0).shuffle(order);
  const foldOf = new Int32Array(count);
  order.forEach((engine, place) => (foldOf[engine] = place % FOLDS));
  const predicted = new Float64Array(inputs.rows);
  for (let fold = 0; fold < FOLDS; fold++) {
    const all = engines.map((engine, row) => ({ row, held: foldOf[engine] === fold }));
    const fitted = all.filter(({ held }) => !held).map(({ row }) => row);
    const asked = all.filter(({ held }) => held).map(({ row }) => row);
    const said = fitAndPredict(takeRows(inputs, fitted), fitted.map((row) => lives[row]!), takeRows(inputs, asked), fold);
    asked.forEach((row, i) => (predicted[row] = said[i]!));
  }
  return predicted;
}

type Engine = readonly (readonly number[])[];

function enginesOf(rows: readonly number[][]): Engine[] {
  const engines = new Map<number, number[][]>();
  for (const row of rows) {
    const of = engines.get(row[0]!);
    if (of === undefined) engines.set(row[0]!, [row]);
    else of.push(row);
  }
  return [...engines.values()];
}

/** Operating condition: altitude in thousand feet and throttle angle, settings 1 and 3. */
const conditionOf = (row: readonly number[]): string => `${Math.round(row[2]!)}/${Math.round(row[4]!)}`;

/**
 * Learns mean and spread of each sensor in each operating condition from training engines.
 * @returns sensors of an engine as z-scores within their condition, [cycles][sensors that vary]
 */
function fitNormaliser(training: readonly Engine[]): (engine: Engine) => Float64Array[] {
  const conditions = new Map<string, { count: number; sum: Float64Array; squares: Float64Array }>();
  // Differences from one row keep sums of squares exact enough.
  const origin = training[0]![0]!;
  for (const engine of training) {
    for (const row of engine) {
      const key = conditionOf(row);
      let of = conditions.get(key);
      if (of === undefined) conditions.set(key, (of = { count: 0, sum: new Float64Array(SENSORS), squares: new Float64Array(SENSORS) }));
      of.count++;
      for (let s = 0; s < SENSORS; s++) {
        const d = row[5 + s]! - origin[5 + s]!;
        of.sum[s]! += d;
        of.squares[s]! += d * d;
      }
    }
  }
  const scales = new Map(
    [...conditions].map(([key, { count, sum, squares }]) => {
      const mean = sum.map((each) => each / count);
      return [key, { mean, std: squares.map((each, s) => Math.sqrt(Math.max(0, each / count - mean[s]! ** 2))) }] as const;
    }),
  );
  const steady = (s: number): boolean => [...scales.values()].every(({ std }) => std[s]! < 1e-6 * Math.max(1, Math.abs(origin[5 + s]!)));
  const used = Array.from({ length: SENSORS }, (_, s) => s).filter((s) => !steady(s));
  return (engine) =>
    engine.map((row) => {
      const scale = scales.get(conditionOf(row));
      return Float64Array.from(used, (s) => {
        const std = scale?.std[s] ?? 0;
        return std < 1e-9 ? 0 : (row[5 + s]! - origin[5 + s]! - scale!.mean[s]!) / std;
      });
    });
}

/** How an engine stands and where it is going, from its first cycles on; cumulative sums make any stretch cheap. */
class Trends {
  readonly #sum: Float64Array[];
  readonly #squares: Float64Array[];
  readonly #moment: Float64Array[];

  constructor(private readonly sensors: readonly Float64Array[]) {
    const cumulate = (of: (value: number, cycle: number) => number): Float64Array[] => {
      const sums = [new Float64Array(sensors[0]!.length)];
      sensors.forEach((row, cycle) => sums.push(row.map((value, s) => sums[cycle]![s]! + of(value, cycle))));
      return sums;
    };
    this.#sum = cumulate((value) => value);
    this.#squares = cumulate((value) => value * value);
    this.#moment = cumulate((value, cycle) => value * cycle);
  }

  /** Features after `cycle` cycles: age, means of the last few and of the first twenty cycles and of all, slopes, spread. */
  at(cycle: number): Float64Array {
    const width = this.sensors[0]!.length;
    const result: number[] = [cycle];
    const mean = (from: number, to: number, s: number): number => (this.#sum[to]![s]! - this.#sum[from]![s]!) / (to - from);
    for (const length of MEANS) for (let s = 0; s < width; s++) result.push(mean(Math.max(0, cycle - length), cycle, s));
    for (let s = 0; s < width; s++) result.push(mean(0, Math.min(20, cycle), s), mean(0, cycle, s));
    for (const length of SLOPES) {
      const from = Math.max(0, cycle - length);
      const n = cycle - from;
      const centre = from + (n - 1) / 2;
      for (let s = 0; s < width; s++) {
        const product = this.#moment[cycle]![s]! - this.#moment[from]![s]! - centre * (this.#sum[cycle]![s]! - this.#sum[from]![s]!);
        result.push(n > 1 ? product / ((n * (n * n - 1)) / 12) : 0);
      }
    }
    const from = Math.max(0, cycle - SPREAD);
    for (let s = 0; s < width; s++) {
      const m = mean(from, cycle, s);
      result.push(Math.sqrt(Math.max(0, (this.#squares[cycle]![s]! - this.#squares[from]![s]!) / (cycle - from) - m * m)));
    }
    return Float64Array.from(result);
  }
}

function rmse(predicted: ArrayLike<number>, truth: readonly number[]): number {
  return Math.sqrt(truth.reduce((sum, life, i) => sum + (predicted[i]! - life) ** 2, 0) / truth.length);
}
