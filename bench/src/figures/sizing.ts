import { Encoding, packFloat32, TelemetryBlock } from '@millwright/contracts';
import { parsePlant } from '@millwright/plant';
import { createFeaturesProcessor } from '@millwright/service-features';
import { partitionFor, PureRun, type PureRecord } from '@millwright/streams';
import { figure, quantile, type Measurement } from '../figure.js';
import { randomOf } from '../random.js';

/** A large site: a million signals at 1 kHz. */
const SIGNALS = 1_000_000;
const SIGNALS_PER_ASSET = 8;
const RATE_HZ = 1_000;
const BLOCK_SECONDS = 0.1;
/** How much of a core's time an instance may be given on average. */
const UTILISATION = 0.6;
/** Partitions for each instance: the more, the more even the loads. */
const PARTITIONS_PER_INSTANCE = 8;
/**
 * Processor time of the real service over that of its features alone: reading from Kafka, writing, committing. Measured 2.0 (19,500 windows a CPU
 * second by the service, 39,300 by the bare function; docs/performance.md); the rest is a margin.
 */
const OVERHEAD = 2.5;
/** Event time that is simulated. */
const SECONDS = 5;
const ROUNDS = 3;
const CALIBRATION_ASSETS = 100;
const CALIBRATION_BLOCKS = 5_000;

/** Processor time of a block in the features processor, seconds: windows of 1 s with statistics of all signals and the spectrum of one. */
function blockSeconds(): number {
  const samples = RATE_HZ * BLOCK_SECONDS;
  const signals = Object.fromEntries(
    Array.from({ length: SIGNALS_PER_ASSET }, (_, i) => [`s${i}`, { unit: 'g', rate: RATE_HZ, range: [-100, 100], ...(i === 0 ? { spectrum: { bands: [10, 100, 200, 500], peaks: 3 } } : {}) }]),
  );
  const units = Object.fromEntries(Array.from({ length: CALIBRATION_ASSETS }, (_, i) => [`A-${i}`, { kind: 'unit' }]));
  const file = {
    name: 'sizing',
    enterprise: 'Millwright',
    sites: { Bench: { areas: { Hall: { lines: { Row: { units } } } } } },
    kinds: { unit: { window: { length: '1s', hop: '1s', grace: '1s' }, signals } },
  };
  const run = new PureRun(createFeaturesProcessor(parsePlant(JSON.stringify(file), '/bench/plant.yaml')));
  const values = packFloat32(Float32Array.from({ length: samples }, (_, i) => Math.sin(i)));
  let sent = 0;
  const next = (): PureRecord => {
    const asset = `A-${sent % CALIBRATION_ASSETS}`;
    const startUs = 1_700_000_000_000_000 + Math.floor(sent++ / CALIBRATION_ASSETS) * BLOCK_SECONDS * 1e6;
    const block = {
      source: 'bench', sequence: 1, asset, startUs, intervalUs: 1e6 / RATE_HZ, count: samples, offsetsUs: new Uint8Array(0),
      signals: Object.keys(signals).map((signal) => ({ signal, unit: 'g', encoding: Encoding.FLOAT32, values })),
    };
    return { key: asset, value: TelemetryBlock.encode(block).finish(), timeMs: startUs / 1000 };
  };
  const push = (): number => {
    const records = Array.from({ length: CALIBRATION_BLOCKS }, next);
    const began = performance.now();
    run.push(records);
    return (performance.now() - began) / 1000;
  };
  push();
  return push() / CALIBRATION_BLOCKS;
}

/** Assets on each instance: keys to partitions as the producers do, partitions to instances evenly as the group does. */
function spread(assets: number, instances: number): number[] {
  const partitions = instances * PARTITIONS_PER_INSTANCE;
  const loads = new Array<number>(instances).fill(0);
  for (let i = 0; i < assets; i++) loads[partitionFor(`L${Math.floor(i / 500)}-M-${String(i % 500).padStart(3, '0')}`, partitions) % instances]!++;
  return loads;
}

/** Seconds that blocks wait for and take on an instance: each asset sends one every BLOCK_SECONDS at a phase of its own; one at a time is worked on. */
function delays(assets: number, seconds: number, random: () => number): number[] {
  const phases = Array.from({ length: assets }, () => random() * BLOCK_SECONDS).sort((a, b) => a - b);
  const found: number[] = [];
  let free = 0;
  for (let round = 0; round * BLOCK_SECONDS < SECONDS; round++) {
    for (const phase of phases) {
      const arrives = round * BLOCK_SECONDS + phase;
      free = Math.max(free, arrives) + seconds;
      found.push(free - arrives);
    }
  }
  return found;
}

export const sizingMeasurement: Measurement = {
  figures: ['sizing_1m_instances', 'sizing_1m_busiest_load', 'sizing_1m_wait_p99_ms'],
  what: `Sizing: ${SIGNALS.toLocaleString('en')} signals at ${RATE_HZ / 1000} kHz, simulated: assets to partitions to instances of the features service at ${UTILISATION * 100} % load, and the queue of the busiest one`,
  measure(progress) {
    const random = randomOf(1);
    const assets = SIGNALS / SIGNALS_PER_ASSET;
    const [counts, busiest, waits]: [number[], number[], number[]] = [[], [], []];
    for (let round = 0; round < ROUNDS; round++) {
      const seconds = blockSeconds() * OVERHEAD;
      const instances = Math.ceil((assets / BLOCK_SECONDS) * seconds / UTILISATION);
      const loads = spread(assets, instances);
      const most = Math.max(...loads);
      const load = (most / BLOCK_SECONDS) * seconds;
      const p99 = quantile(delays(most, seconds, random), 0.99) * 1000;
      progress(`${(seconds * 1e6).toFixed(0)} µs a block: ${instances} instances and ${instances * PARTITIONS_PER_INSTANCE} partitions; ${Math.min(...loads)} to ${most} assets on one, the busiest at ${(100 * load).toFixed(0)} % of a core, p99 ${p99.toFixed(2)} ms`);
      counts.push(instances);
      busiest.push(load);
      waits.push(p99);
    }
    return Promise.resolve([
      figure('sizing_1m_instances', counts, 1_000, 'lower', 'instances'),
      figure('sizing_1m_busiest_load', busiest, 0.8, 'lower', 'of a core'),
      figure('sizing_1m_wait_p99_ms', waits, 50, 'lower', 'ms'),
    ]);
  },
};
