import { fileURLToPath } from 'node:url';
import { Encoding, packFloat32, type TelemetryBlock } from '@millwright/contracts';
import { loadPlant, type Plant } from '@millwright/plant';
import { randomOf } from './random.js';

/** Samples of vibration in a block, and in a window. */
export const BLOCK_SAMPLES = 1024;
const BLOCK_US = 100_000;
const BLOCKS_PER_SECOND = 10;
/** Blocks that differ: together larger than a cache that could flatter the figures. */
const WAVES = 512;
/** An hour ago: Kafka drops records whose time is older than it is to keep. */
const START_US = (Math.floor(Date.now() / 1000) - 3600) * 1_000_000;

/** Path of the plant file of the bench. */
export const MOTOR_PLANT = fileURLToPath(new URL('../plant.yaml', import.meta.url));

export const motorPlant = (): Plant => loadPlant(MOTOR_PLANT);

/** Vibration of a motor: shaft harmonics, impulses that ring, and noise. */
export const waves: readonly Float32Array[] = Array.from({ length: WAVES }, (_, seed) => {
  const random = randomOf(seed + 1);
  const period = 90 + (seed % 40);
  return Float32Array.from({ length: BLOCK_SAMPLES }, (_, i) => {
    const since = i % period;
    return Math.sin(0.015 * i + seed) + 0.3 * Math.sin(0.03 * i) + 2 * Math.exp(-since / 15) * Math.sin(1.8 * since) + 0.4 * (random() - 0.5);
  });
});

/** Shaft speed in rpm over one second. */
export const speeds = Float32Array.from({ length: BLOCKS_PER_SECOND }, (_, i) => 1480 + i);

/** Blocks of one second of event time of all motors: the speeds, then the vibration as it comes, motor by motor. */
export function* secondOf(plant: Plant, source: string, second: number): Generator<TelemetryBlock> {
  const startUs = START_US + second * 1_000_000;
  const sequence = second * (BLOCKS_PER_SECOND + 1);
  for (const asset of plant.assets.keys()) yield block(source, asset, sequence + 1, startUs, BLOCK_US, 'speed', 'rpm', speeds);
  for (let tenth = 0; tenth < BLOCKS_PER_SECOND; tenth++) {
    let motor = 0;
    for (const asset of plant.assets.keys()) {
      const wave = waves[(second * 7 + tenth * 31 + motor++ * 13) % WAVES]!;
      yield block(source, asset, sequence + 2 + tenth, startUs + tenth * BLOCK_US, BLOCK_US / BLOCK_SAMPLES, 'vibration', 'g', wave);
    }
  }
}

function block(source: string, asset: string, sequence: number, startUs: number, intervalUs: number, signal: string, unit: string, values: Float32Array): TelemetryBlock {
  return {
    source, sequence, asset, startUs, intervalUs,
    count: values.length,
    offsetsUs: new Uint8Array(0),
    signals: [{ signal, unit, encoding: Encoding.FLOAT32, values: packFloat32(values) }],
  };
}
