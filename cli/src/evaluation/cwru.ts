import { evaluate } from '@millwright/learning';
import { EnvelopeFeatures } from '@millwright/signal';
import { readNpz, type DataFolder } from './data-folder.js';
import { meanOf, type Benchmark } from './figure.js';

const RATE_HZ = 12_000;
/** Samples judged at once: one second. */
const WINDOW = 12_000;
/** Shaft speed by load in horsepower, Hz, as the data set states it. */
const SHAFT_HZ = [1797, 1772, 1750, 1730].map((rpm) => rpm / 60);
/** Resonances may lie anywhere: each band is demodulated, and the one that shows an order best counts. */
const BANDS: readonly (readonly [number, number])[] = [
  [500, 2000],
  [2000, 4000],
  [4000, 5900],
];
/** Characteristic frequencies of the drive-end bearing, SKF 6205-2RS, times the shaft speed; the side bands of the inner race and of a ball are an order of the shaft and of the cage away. */
const [INNER, OUTER, BALL, CAGE] = [5.4152, 3.5848, 4.7135, 0.39828];
const FAMILIES = {
  inner: [INNER],
  innerSides: [INNER - 1, INNER + 1],
  outer: [OUTER],
  ball: [BALL, BALL / 2],
  ballSides: [BALL - CAGE, BALL + CAGE],
};
/** Orders at which nothing turns: what they show is the floor that the others are measured from. */
const FLOOR = [2.63, 3.27, 4.13, 5.81, 6.73];

interface Recording {
  readonly fault: string;
  readonly size: string;
  /** [windows][families]: decades above the floor. */
  readonly windows: readonly Float64Array[];
}

/**
 * Bearing faults (Case Western Reserve University), by bearing: trained on two fault sizes, which are other bearings, tested
 * on the third, for each size in turn. Inputs are what the envelope spectrum shows at the orders of the bearing, in decades above
 * its floor, and nothing that a single bearing could be known by, such as its level. Two bearings a class are too few to learn
 * how bearings differ: a window is of the class whose mean is nearest.
 */
export const cwru: Benchmark = {
  name: 'CWRU bearings',
  folder: 'cwru',
  figures: [{ name: 'cwru_unseen_size', goal: 0.8, better: 'higher', unit: 'share', published: 'none by bearing; 0.99 and more on random windows, which leak' }],
  async measure(data, note) {
    const recordings = await recordingsOf(data);
    const sizes = [...new Set(recordings.map(({ size }) => size))].sort();
    const faults = [...new Set(recordings.map(({ fault }) => fault))].sort();
    if (sizes.length < 2) return {};
    const bySize = sizes.map((size) => {
      const fitted = recordings.filter((each) => each.size !== size);
      const asked = recordings.filter((each) => each.size === size);
      const centres = faults.map((fault) => centreOf(fitted.filter((each) => each.fault === fault)));
      const windows = asked.flatMap((each) => each.windows.map((window) => ({ window, fault: faults.indexOf(each.fault) })));
      const closeness = windows.flatMap(({ window }) => centres.map((centre) => -distance(window, centre)));
      const { balancedAccuracy, recall } = evaluate(closeness, Int32Array.from(windows, ({ fault }) => fault), faults.length);
      note(`unseen size ${size}: ${balancedAccuracy.toFixed(3)} of ${windows.length} windows (${faults.map((fault, i) => `${fault} ${recall[i]!.toFixed(2)}`).join(', ')})`);
      return balancedAccuracy;
    });
    return { cwru_unseen_size: [meanOf(bySize)] };
  },
};

async function recordingsOf(data: DataFolder): Promise<Recording[]> {
  const name = /^load(\d)_(.+)_(\d{3})\.npz$/;
  const recordings: Recording[] = [];
  for (const file of data.named(name)) {
    const [, load = '', fault = '', size = ''] = name.exec(file)!;
    const shaftHz = SHAFT_HZ[Number(load)];
    if (shaftHz !== undefined) recordings.push({ fault, size, windows: windowsOf(readNpz(await data.bytes(file), 'DE'), shaftHz) });
  }
  return recordings;
}

/** Half overlapping windows. */
function windowsOf(samples: Float64Array, shaftHz: number): Float64Array[] {
  const orders: Record<string, number> = {};
  Object.entries(FAMILIES).forEach(([family, each]) => each.forEach((order, i) => (orders[`${family}${i}`] = order)));
  FLOOR.forEach((order, i) => (orders[`floor${i}`] = order));
  const names = Object.keys(orders);
  const envelopes = BANDS.map((bandHz) => new EnvelopeFeatures({ bandHz, speedSignal: '', orders, harmonics: 1 }, WINDOW, RATE_HZ));
  const windows: Float64Array[] = [];
  const values = new Float64Array(names.length);
  for (let from = 0; from + WINDOW <= samples.length; from += WINDOW / 2) {
    const window = samples.slice(from, from + WINDOW);
    const level = window.reduce((sum, each) => sum + each, 0) / WINDOW;
    const centred = window.map((each) => each - level);
    const best = new Float64Array(Object.keys(FAMILIES).length).fill(-Infinity);
    for (const envelope of envelopes) {
      envelope.compute(centred, WINDOW, shaftHz, values, 0);
      const decades = (family: string): number => meanOf(names.flatMap((name, i) => (name.replace(/\d$/, '') === family ? [Math.log10(values[i]!)] : [])));
      const floor = decades('floor');
      Object.keys(FAMILIES).forEach((family, i) => (best[i] = Math.max(best[i]!, decades(family) - floor)));
    }
    windows.push(best);
  }
  return windows;
}

function centreOf(recordings: readonly Recording[]): Float64Array {
  const windows = recordings.flatMap((each) => each.windows);
  return Float64Array.from(Object.keys(FAMILIES), (_, i) => meanOf(windows.map((window) => window[i]!)));
}

const distance = (a: Float64Array, b: Float64Array): number => a.reduce((sum, each, i) => sum + (each - b[i]!) ** 2, 0);
