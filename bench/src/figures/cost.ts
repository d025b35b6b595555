import { TelemetryBlock, Encoding, packFloat32 } from '@millwright/contracts';
import { parsePlant, type Plant } from '@millwright/plant';
import { createFeaturesProcessor } from '@millwright/service-features';
import { PureRun, type PureRecord } from '@millwright/streams';
import { figure, type Measurement } from '../figure.js';

const ROUNDS = 3;
const ASSETS = [10, 1_000, 10_000, 100_000] as const;
const FEW_SIGNALS = 4;
const MANY_SIGNALS = 64;
const ASSETS_FOR_SIGNALS = 100;
/** Samples of each signal in a block: one window, one second. */
const SAMPLES = 50;
const WINDOW_US = 1_000_000;
/** Records of a round, and how many go as one micro-batch. */
const RECORDS = 100_000;
const BATCH = 500;
/** Windows of each asset before anything is measured: what is remembered of an asset has its full size by then, z-scores' 64 windows included. */
const SETTLED_WINDOWS = 80;
/** With more assets than these, such a history takes too long to play. */
const MOST_WITH_HISTORY = 10_000;
/** Fewer must do there, for what a record costs: the grace has passed, and samples' buffers have their full size. */
const LEAST_WINDOWS = 4;
const START_US = 1_700_000_000_000_000;

function plantOf(assets: number, signals: number): Plant {
  const units = Object.fromEntries(Array.from({ length: assets }, (_, i) => [`A-${i}`, { kind: 'unit' }]));
  const all = Object.fromEntries(Array.from({ length: signals }, (_, i) => [`s${i}`, { unit: 'g', rate: SAMPLES, range: [-100, 100] }]));
  const file = {
    name: 'cost',
    enterprise: 'Millwright',
    sites: { Bench: { areas: { Hall: { lines: { Row: { units } } } } } },
    kinds: { unit: { window: { length: '1s', hop: '1s', grace: '2s' }, signals: all } },
  };
  return parsePlant(JSON.stringify(file), '/bench/plant.yaml');
}

/** The features processor, in memory, with a block for each asset in turn. */
class Load {
  readonly #run: PureRun;
  readonly #assets: readonly string[];
  readonly #signals: number;
  #sent = 0;

  constructor(assets: number, signals: number) {
    const plant = plantOf(assets, signals);
    this.#run = new PureRun(createFeaturesProcessor(plant));
    this.#assets = [...plant.assets.keys()];
    this.#signals = signals;
  }

  /** Works records off, micro-batch by micro-batch; seconds that the processor took, without making the records. */
  push(records: number): number {
    let ms = 0;
    for (let done = 0; done < records; done += BATCH) {
      const batch = Array.from({ length: Math.min(BATCH, records - done) }, () => this.#next());
      const began = performance.now();
      this.#run.push(batch);
      ms += performance.now() - began;
    }
    return ms / 1000;
  }

  #next(): PureRecord {
    const asset = this.#assets[this.#sent % this.#assets.length]!;
    const window = Math.floor(this.#sent / this.#assets.length);
    this.#sent++;
    const startUs = START_US + window * WINDOW_US;
    const values = packFloat32(Float32Array.from({ length: SAMPLES }, (_, i) => Math.sin(0.1 * i + this.#sent)));
    const signals = Array.from({ length: this.#signals }, (_, s) => ({ signal: `s${s}`, unit: 'g', encoding: Encoding.FLOAT32, values }));
    const block: TelemetryBlock = { source: 'bench', sequence: window + 1, asset, startUs, intervalUs: WINDOW_US / SAMPLES, count: SAMPLES, offsetsUs: new Uint8Array(0), signals };
    return { key: asset, value: TelemetryBlock.encode(block).finish(), timeMs: startUs / 1000 };
  }
}

/** Bytes that are in use after a collection, on the JavaScript heap and in array buffers. */
function memory(): number {
  if (globalThis.gc === undefined) throw new Error('memory per asset is measured with --expose-gc: run the bench with `npm run bench`');
  // What the first one finds of array buffers is given back in the background, the second one waits for it.
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** A load with its assets settled. */
function settled(assets: number, signals: number): Load {
  const load = new Load(assets, signals);
  load.push(assets * (assets > MOST_WITH_HISTORY ? LEAST_WINDOWS : SETTLED_WINDOWS));
  return load;
}

export const costMeasurement: Measurement = {
  figures: ['cost_per_record_100k_vs_10', 'cost_per_signal_64_vs_4', 'memory_per_asset_bytes'],
  what: `Cost of a record and memory with ${ASSETS.map((n) => n.toLocaleString('en')).join(', ')} assets of ${FEW_SIGNALS} signals at ${SAMPLES} Hz, and with more signals; the features processor in memory`,
  measure(progress) {
    const loads: Load[] = [];
    const used: number[] = [];
    let before = memory();
    for (const assets of ASSETS) {
      loads.push(settled(assets, FEW_SIGNALS));
      const now = memory();
      used.push(now - before);
      before = now;
      const history = assets > MOST_WITH_HISTORY ? ` after ${LEAST_WINDOWS} windows` : '';
      progress(`${assets} assets hold ${(used.at(-1)! / 1e6).toFixed(1)} MB, ${Math.round(used.at(-1)! / assets)} bytes each${history}`);
    }
    const [few, many] = [settled(ASSETS_FOR_SIGNALS, FEW_SIGNALS), settled(ASSETS_FOR_SIGNALS, MANY_SIGNALS)];
    const costs: number[] = [];
    const signalCosts: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const micros = loads.map((load) => (load.push(RECORDS) / RECORDS) * 1e6);
      progress(`µs a record: ${ASSETS.map((assets, i) => `${micros[i]!.toFixed(2)} with ${assets} assets`).join(', ')}`);
      costs.push(micros.at(-1)! / micros[0]!);
      const [one, other] = [few, many].map((load, i) => (load.push(RECORDS / 10) / (RECORDS / 10) / [FEW_SIGNALS, MANY_SIGNALS][i]!) * 1e6) as [number, number];
      progress(`µs a signal of a record: ${one.toFixed(2)} with ${FEW_SIGNALS}, ${other.toFixed(2)} with ${MANY_SIGNALS}`);
      signalCosts.push(other / one);
    }
    // Of those that have their whole history.
    const slope = (used[2]! - used[1]!) / (ASSETS[2] - ASSETS[1]);
    return Promise.resolve([
      figure('cost_per_record_100k_vs_10', costs, 1.5, 'lower', 'ratio'),
      figure('cost_per_signal_64_vs_4', signalCosts, 1.2, 'lower', 'ratio'),
      figure('memory_per_asset_bytes', [slope], 20_480, 'lower', 'bytes'),
    ]);
  },
};
