import { FeatureVector, unpackFloat64 } from '@millwright/contracts';
import { describe, expect, it } from '@jest/globals';
import type { Plant } from '@millwright/plant';
import { FeatureExtractor } from '@millwright/signal';
import { PureRun, type Emission } from '@millwright/streams';
import fc from 'fast-check';
import { createFeaturesProcessor } from './features.processor.js';
import { STATE_VERSION } from './state-codec.js';
import { block, plantOf, type BlockSpec } from './testing/fixtures.js';

const S = 1_000_000;
const T = 1_767_571_200 * S;
const INTERVAL_US = { level: 100_000, temperature: 500_000 } as const;
type SignalName = keyof typeof INTERVAL_US;
const GRACE_US = 6 * S;

const WINDOWS = ['{ length: 4s, hop: 4s, grace: 6s }', '{ length: 4s, hop: 1s, grace: 6s }', '{ length: 2s, hop: 5s, grace: 6s }', '{ length: 3s, hop: 700ms, grace: 6s }'];

interface Piece {
  readonly spec: BlockSpec;
  readonly lastUs: number;
  /** How much later than its last sample it arrives: with its own duration, less than the grace. */
  readonly delayUs: number;
}

const value = fc.integer({ min: -100, max: 100 });

/** Blocks of one signal, one after the other with gaps between some. */
const pieces = (signal: SignalName): fc.Arbitrary<Piece[]> =>
  fc
    .array(
      fc.record({
        values: fc.array(value, { minLength: 1, maxLength: signal === 'level' ? 18 : 4 }),
        gapUs: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.integer({ min: 10_000, max: 3 * S }) }, { weight: 1, arbitrary: fc.integer({ min: 10 * S, max: 40 * S }) }),
        delayUs: fc.integer({ min: 0, max: 3 * S }),
        irregular: fc.boolean(),
        float64: fc.boolean(),
      }),
      { minLength: 1, maxLength: 15 },
    )
    .map((parts) => {
      let startUs = T;
      return parts.map(({ values, gapUs, delayUs, irregular, float64 }) => {
        startUs += gapUs;
        const intervalUs = INTERVAL_US[signal];
        const offsetsUs = values.map((_, i) => i * intervalUs + (irregular ? (i * 7919) % 50_000 : 0));
        const spec = { startUs, intervalUs, values: { [signal]: values }, float64, ...(irregular ? { offsetsUs } : {}) };
        const lastUs = startUs + offsetsUs.at(-1)!;
        startUs += values.length * intervalUs;
        return { spec, lastUs, delayUs };
      });
    });

const scenario = fc
  .record({ window: fc.constantFrom(...WINDOWS), level: pieces('level'), temperature: pieces('temperature') })
  .map(({ window, level, temperature }) => ({ plant: plantOf(window), blocks: [...level, ...temperature] }));

/** In the order of arrival, each followed by a watermark that trails by two seconds. */
function run(plant: Plant, blocks: readonly Piece[], delayed: boolean, processor = createFeaturesProcessor(plant)): { emissions: Emission[]; final: Map<number, FeatureVector> } {
  const arrivalUs = ({ lastUs, delayUs }: Piece) => lastUs + (delayed ? delayUs : 0);
  const pure = new PureRun(processor);
  const emissions: Emission[] = [];
  for (const piece of blocks.toSorted((a, b) => arrivalUs(a) - arrivalUs(b))) {
    emissions.push(...pure.push([block(piece.spec)]));
    if (delayed) emissions.push(...pure.watermark(arrivalUs(piece) - 2 * S));
  }
  emissions.push(...pure.watermark(T + 10_000 * S));
  expect(pure.ledger()[0]).toMatchObject({ in: blocks.length, processed: blocks.length });
  const final = new Map<number, FeatureVector>();
  for (const { value } of emissions) {
    const vector = FeatureVector.decode(value);
    const earlier = final.get(vector.windowStartUs);
    expect(vector.revision).toBe(earlier === undefined ? 0 : earlier.revision + 1);
    final.set(vector.windowStartUs, vector);
  }
  return { emissions, final: new Map([...final].sort(([a], [b]) => a - b)) };
}

/** What must be published in the end, straight from the definition and from all samples at once. */
function expected(plant: Plant, blocks: readonly Piece[]): Map<number, Float64Array> {
  const kind = plant.kinds.get('tank')!;
  const { lengthUs, hopUs } = kind.window;
  const extractor = new FeatureExtractor(kind);
  const signals = kind.signals.map(({ name }) => {
    const samples = blocks.flatMap(({ spec }) => {
      const values = spec.values[name] ?? [];
      return values.map((x, i) => ({ timeUs: spec.startUs + (spec.offsetsUs?.[i] ?? i * INTERVAL_US[name as SignalName]), x }));
    });
    return samples.sort((a, b) => a.timeUs - b.timeUs);
  });
  const beginUs = Math.min(...signals.map((samples, s) => samples[0]!.timeUs - INTERVAL_US[kind.signals[s]!.name as SignalName]));
  const endUs = Math.max(...signals.map((samples) => samples.at(-1)!.timeUs));
  const published: { k: number; empty: boolean; means: Float64Array; values: Float64Array }[] = [];
  for (let k = Math.floor((T - lengthUs) / hopUs); (k - 1) * hopUs <= endUs + lengthUs; k++) {
    const startUs = k * hopUs;
    const inside = signals.map((samples) => samples.filter(({ timeUs }) => timeUs >= startUs && timeUs < startUs + lengthUs));
    const empty = inside.every((samples) => samples.length === 0);
    const last = published.at(-1);
    if (empty ? !(last?.k === k - 1 && !last.empty) : startUs <= beginUs) continue;
    const windows = inside.map((samples) => (samples.length === 0 ? undefined : { values: Float64Array.from(samples, ({ x }) => x), offsetsUs: Float64Array.from(samples, ({ timeUs }) => timeUs - startUs) }));
    const references = published.filter((earlier) => earlier.k * hopUs + GRACE_US <= startUs).slice(-64);
    const values = extractor.extract(windows, references.map(({ means }) => means), new Float64Array(extractor.names.length));
    published.push({ k, empty, means: extractor.means(values), values });
  }
  return new Map(published.map(({ k, values }) => [k * hopUs, values]));
}

/** One text a window: bit patterns of all values included, revision left out. */
const contents = (final: ReadonlyMap<number, FeatureVector>) =>
  [...final.values()].map(({ values, windowStartUs, missingRatio, silentSignals }) => `${(windowStartUs - T) / S} ${missingRatio} ${silentSignals.join()} ${Buffer.from(values).toString('hex')}`);

describe('what is published in the end', () => {
  it('is what the definition says of all samples together', () => {
    fc.assert(
      fc.property(scenario, ({ plant, blocks }) => {
        const { final } = run(plant, blocks, false);
        const want = expected(plant, blocks);
        expect([...final.keys()]).toEqual([...want.keys()]);
        for (const [startUs, values] of want) {
          unpackFloat64(final.get(startUs)!.values).forEach((got, i) => {
            const x = values[i]!;
            if (!(Number.isNaN(got) && Number.isNaN(x)) && !(Math.abs(got - x) <= 1e-9 * Math.max(1, Math.abs(x)))) throw new Error(`window ${startUs}, value ${i}: ${got}, not ${x}`);
          });
        }
      }),
      { numRuns: 60 },
    );
  });

  it('does not depend on the order of blocks that come within the grace', () => {
    fc.assert(
      fc.property(scenario, ({ plant, blocks }) => {
        expect(contents(run(plant, blocks, true).final)).toEqual(contents(run(plant, blocks, false).final));
      }),
      { numRuns: 60 },
    );
  });
});

it('state goes through its codec at any point without a trace', () => {
  fc.assert(
    fc.property(scenario, ({ plant, blocks }) => {
      const plain = createFeaturesProcessor(plant);
      const { codec } = plain;
      const restored = (state: Parameters<typeof codec.encode>[0]) => {
        const bytes = codec.encode(state);
        const decoded = codec.decode(bytes, STATE_VERSION);
        expect(Buffer.compare(codec.encode(decoded), bytes)).toBe(0);
        Object.assign(state, decoded);
        return state;
      };
      const interrupted: typeof plain = {
        ...plain,
        onRecord: (message, state, context, record) => plain.onRecord(message, restored(state), context, record),
        onTimer: (timeUs, state, context) => plain.onTimer!(timeUs, restored(state), context),
      };
      const texts = (emissions: readonly Emission[]) => emissions.map(({ value }) => Buffer.from(value).toString('hex'));
      expect(texts(run(plant, blocks, true, interrupted).emissions)).toEqual(texts(run(plant, blocks, true).emissions));
    }),
    { numRuns: 40 },
  );
});

describe('state', () => {
  const line = (fromS: number, toS: number): BlockSpec[] => [
    { startUs: T + fromS * S, values: { level: Array.from({ length: (toS - fromS) * 10 }, (_, i) => i) } },
    { startUs: T + fromS * S, intervalUs: S / 2, values: { temperature: Array.from({ length: (toS - fromS) * 2 }, (_, i) => i) } },
  ];

  it('starts windows anew, on the clock as it stood, when the plant file has changed', () => {
    const before = createFeaturesProcessor(plantOf('{ length: 4s, hop: 4s, grace: 6s }'));
    const plant = plantOf('{ length: 3s, hop: 3s, grace: 6s }');
    const after = createFeaturesProcessor(plant);
    let first = true;
    const changed: typeof after = {
      ...after,
      onRecord(message, state, context, record) {
        if (first) Object.assign(state, oldState());
        first = false;
        return after.onRecord(message, state, context, record);
      },
    };
    const oldState = () => {
      let kept = before.initial('T-1');
      const pure = new PureRun({ ...before, initial: () => (kept = before.initial('T-1')) });
      pure.push(line(0, 10).map(block));
      return before.codec.decode(before.codec.encode(kept), STATE_VERSION);
    };
    const pure = new PureRun(changed);
    const starts = pure.push(line(10, 16).map(block)).map(({ value }) => (FeatureVector.decode(value).windowStartUs - T) / S);
    // T is 0 modulo 3 s; data from before the change is gone, so the window from 9 s is not whole.
    expect(starts).toEqual([12]);
  });

  it('stays bounded, however long an asset runs', () => {
    const plant = plantOf('{ length: 4s, hop: 1s, grace: 6s }');
    const plain = createFeaturesProcessor(plant);
    let state = plain.initial('T-1');
    const pure = new PureRun({ ...plain, initial: () => (state = plain.initial('T-1')) });
    const sizes: number[] = [];
    for (let second = 0; second < 1_000; second += 2) {
      pure.push(line(second, second + 2).map(block));
      sizes.push(plain.codec.encode(state).length);
    }
    expect(Math.max(...sizes)).toBeLessThan(1.2 * Math.max(...sizes.slice(0, 50)));
  });

  it('of another version is refused with what to do', () => {
    const { codec, initial } = createFeaturesProcessor(plantOf(WINDOWS[0]!));
    expect(() => codec.decode(codec.encode(initial('T-1')), 99)).toThrow(/^features state: version 99 is not 1, the one known here: .* drop the checkpoint/);
  });
});
