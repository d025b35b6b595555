import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { average, cooled, DatasetBuilder, evaluate, fitScaler, fitTemperature, logits, Random, scale, softmax, splitByBlocks, splitByRun, trainClassifier, type Dataset, type TrainingOptions } from './index.js';

const OPTIONS: TrainingOptions = { classes: 2, hidden: [16], seed: 1, epochs: 60, batch: 32, learningRate: 1e-2, weightDecay: 1e-3, inputNoise: 0, labelSmoothing: 0 };

/** Two normal clouds of unit spread, centres 2 apart along each of two axes. */
function clouds(rows: number, seed: number): Dataset {
  const random = new Random(seed);
  const builder = new DatasetBuilder(['a.mean', 'b.mean'], ['low', 'high']);
  for (let row = 0; row < rows; row++) {
    const high = random.uniform() < 0.5;
    builder.add(Float64Array.of(random.normal() + (high ? 2 : 0), random.normal() + (high ? 2 : 0)), high ? 'high' : 'low', row % 10);
  }
  return builder.build();
}

const examples = (data: Dataset, scaler = fitScaler(data, 10)): { inputs: Float32Array; classes: Int32Array; rows: number } => ({ inputs: scale(data, scaler), classes: data.classes, rows: data.rows });

describe('trainer', () => {
  it("comes within a point of the best possible accuracy on two normal clouds, and near Fisher's direction", () => {
    const train = clouds(4000, 1);
    const test = clouds(20_000, 2);
    const scaler = fitScaler(train, 10);
    const { network } = trainClassifier(examples(train, scaler), examples(test, scaler), { ...OPTIONS, hidden: [], epochs: 30 });
    const { accuracy } = evaluate(logits(network, scale(test, scaler), test.rows), test.classes, 2);
    // Bayes: Phi(d / 2) with d = 2 * sqrt(2).
    expect(accuracy).toBeGreaterThan(0.9214 - 0.01);
    const { weights } = network.layers[0]!;
    const along = (weights[2]! - weights[0]!) / scaler.std[0]!;
    const across = (weights[3]! - weights[1]!) / scaler.std[1]!;
    // Log-odds of equal clouds are linear with slope (mu1 - mu0) / sigma² = 2 on either axis.
    expect(Math.abs(along - 2)).toBeLessThan(0.3);
    expect(Math.abs(across - 2)).toBeLessThan(0.3);
  });

  it('learns what no linear boundary separates (exclusive or)', () => {
    const random = new Random(3);
    const builder = new DatasetBuilder(['a.mean', 'b.mean'], ['same', 'different']);
    for (let row = 0; row < 2000; row++) {
      const [a, b] = [2 * random.uniform() - 1, 2 * random.uniform() - 1];
      builder.add(Float64Array.of(a, b), a * b > 0 ? 'same' : 'different', 0);
    }
    const data = builder.build();
    const { network } = trainClassifier(examples(data), examples(data), OPTIONS);
    expect(evaluate(logits(network, examples(data).inputs, data.rows), data.classes, 2).accuracy).toBeGreaterThan(0.97);
  });

  it('gives the same network for the same seed, and stops when validation no longer improves', () => {
    const data = examples(clouds(500, 4));
    const held = examples(clouds(500, 5));
    const options = { ...OPTIONS, epochs: 300, patience: 5 };
    const [a, b] = [trainClassifier(data, held, options), trainClassifier(data, held, options)];
    expect(a).toEqual(b);
    expect(a.epochs).toBeLessThan(290);
    expect(trainClassifier(data, held, { ...options, seed: 2 }).network).not.toEqual(a.network);
  });

  it('counts classes as it is told, however many rows they have', () => {
    const data = clouds(4000, 6);
    const share = (classWeights: number[]): number => {
      const { network } = trainClassifier(examples(data), examples(data), { ...OPTIONS, hidden: [], epochs: 20, classWeights });
      const scores = logits(network, examples(data).inputs, data.rows);
      return scores.reduce((count, score, i) => count + (i % 2 === 1 && score > scores[i - 1]! ? 1 : 0), 0) / data.rows;
    };
    expect(share([1, 9])).toBeGreaterThan(share([1, 1]) + 0.05);
    expect(share([9, 1])).toBeLessThan(share([1, 1]) - 0.05);
  });

  it('averages the scores of networks in one', () => {
    const data = examples(clouds(300, 7));
    const networks = [1, 2, 3].map((seed) => trainClassifier(data, data, { ...OPTIONS, epochs: 3, seed }).network);
    const each = networks.map((network) => logits(network, data.inputs, data.rows));
    logits(average(networks), data.inputs, data.rows).forEach((score, i) => expect(score).toBeCloseTo((each[0]![i]! + each[1]![i]! + each[2]![i]!) / 3, 4));
  });
});

describe('calibration', () => {
  it('finds the factor by which scores were made overconfident', () => {
    const random = new Random(8);
    const honest = Float32Array.from({ length: 3 * 20_000 }, () => 2 * random.normal());
    const chances = softmax(honest, 3);
    const classes = Int32Array.from({ length: 20_000 }, (_, row) => {
      const draw = random.uniform();
      if (draw < chances[row * 3]!) return 0;
      return draw < chances[row * 3]! + chances[row * 3 + 1]! ? 1 : 2;
    });
    expect(Math.abs(fitTemperature(honest.map((score) => 4 * score), classes, 3) - 4)).toBeLessThan(0.15);
    const data = examples(clouds(200, 9));
    const { network } = trainClassifier(data, data, { ...OPTIONS, epochs: 2 });
    const scores = logits(network, data.inputs, data.rows);
    logits(cooled(network, 2.5), data.inputs, data.rows).forEach((score, i) => expect(score).toBeCloseTo(scores[i]! / 2.5, 4));
  });
});

describe('evaluation', () => {
  it('agrees with a confusion worked out by hand', () => {
    // Truth 0 0 0 1 1 2, judged 0 0 1 1 2 2: recalls 2/3, 1/2, 1; F1 4/5, 1/2, 2/3.
    const judged = [0, 0, 1, 1, 2, 2];
    const scores = judged.flatMap((winner) => [0, 1, 2].map((each) => Number(each === winner)));
    const result = evaluate(scores, Int32Array.of(0, 0, 0, 1, 1, 2), 3);
    expect(result.accuracy).toBeCloseTo(4 / 6, 12);
    expect(result.balancedAccuracy).toBeCloseTo((2 / 3 + 1 / 2 + 1) / 3, 12);
    expect(result.macroF1).toBeCloseTo((4 / 5 + 1 / 2 + 2 / 3) / 3, 12);
    expect([...result.confusion]).toEqual([2, 1, 0, 0, 1, 1, 0, 0, 1]);
  });
});

describe('data set', () => {
  it('fits preprocessing on values that are there, and imputes the others', () => {
    const builder = new DatasetBuilder(['a.mean', 'b.mean', 'c.mean'], ['x']);
    builder.add(Float64Array.of(1, 5, NaN), 'x', 0);
    builder.add(Float64Array.of(3, 5, NaN), 'x', 0);
    builder.add(Float64Array.of(NaN, 5, NaN), 'x', 0);
    const scaler = fitScaler(builder.build(), 4);
    expect([...scaler.mean]).toEqual([2, 5, 0]);
    expect([...scaler.std]).toEqual([1, 1, 1]);
    expect([...scale(builder.build(), scaler)]).toEqual([-1, 0, 0, 1, 0, 0, 0, 0, 0]);
    const wild = new DatasetBuilder(['a.mean', 'b.mean', 'c.mean'], ['x']);
    wild.add(Float64Array.of(1e9, -1e9, 0), 'x', 0);
    expect([...scale(wild.build(), scaler)]).toEqual([4, -4, 0]);
  });

  it('splits without letting validation see training rows', () => {
    fc.assert(
      fc.property(fc.integer({ min: 160, max: 300 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 9 }), (rows, runs, gap) => {
        const builder = new DatasetBuilder(['a.mean'], ['x']);
        for (let row = 0; row < rows; row++) builder.add(Float64Array.of(row), 'x', row % runs);
        const data = builder.build();
        const { train, validation } = splitByBlocks(data, { period: 40, held: 10, gap });
        for (let run = 0; run < runs; run++) {
          const of = (part: Dataset): number[] => [...part.values].filter((_, i) => part.runs[i] === run).map((row) => Math.floor(row / runs));
          for (const held of of(validation)) for (const used of of(train)) expect(Math.abs(held - used)).toBeGreaterThan(gap);
        }
        expect(validation.rows).toBeGreaterThan(0);
        const byRun = splitByRun(data, new Set([0]));
        expect(new Set(byRun.validation.runs)).toEqual(new Set([0]));
        expect(byRun.train.rows + byRun.validation.rows).toBe(rows);
        expect([...byRun.train.runs]).not.toContain(0);
      }),
    );
  });

  it('names an unknown label or feature', () => {
    const builder = new DatasetBuilder(['a.mean'], ['x', 'y']);
    expect(() => builder.add(Float64Array.of(1), 'z', 0)).toThrow('label "z" is not among x, y');
    expect(() => builder.add(Float64Array.of(1, 2), 'x', 0)).toThrow('2 values for 1 features');
  });
});
