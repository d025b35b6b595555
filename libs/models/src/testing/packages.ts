import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportClassifier, Random, type Layer, type Network, type Scaler } from '@millwright/learning';
import { loadPackage, writePackage, type ModelPackage, type UnsignedManifest } from '../package.js';

const layer = (inputs: number, outputs: number, random: Random): Layer => ({
  inputs,
  outputs,
  weights: Float32Array.from({ length: inputs * outputs }, () => random.normal() / Math.sqrt(inputs)),
  bias: Float32Array.from({ length: outputs }, () => random.normal()),
});

/** A network with random weights, its preprocessing, and the labels "c0", "c1" ... */
export function randomClassifier(sizes: readonly number[], seed: number): { network: Network; scaler: Scaler; labels: string[] } {
  const random = new Random(seed);
  const mean = Float64Array.from({ length: sizes[0]! }, () => Math.fround(10 * random.normal()));
  const std = Float64Array.from({ length: sizes[0]! }, () => Math.fround(0.5 + random.uniform()));
  return {
    network: { layers: sizes.slice(1).map((outputs, i) => layer(sizes[i]!, outputs, random)) },
    scaler: { impute: mean, mean, std, clip: 5 },
    labels: Array.from({ length: sizes.at(-1)! }, (_, i) => `c${i}`),
  };
}

export function diagnosisManifest(features: readonly string[], labels: readonly string[], scaler: Scaler, batch: number): Extract<UnsignedManifest, { task: 'diagnosis' }> {
  return {
    format: 'millwright-model/1',
    name: 'toy',
    version: '1.0.0',
    description: 'random weights',
    task: 'diagnosis',
    kinds: ['pump'],
    input: { name: 'features', features: [...features], history: 1 },
    batch,
    preprocessing: { impute: [...scaler.impute], mean: [...scaler.mean], std: [...scaler.std], clip: scaler.clip },
    labels: [...labels],
    normal: labels[0]!,
    outputs: { probabilities: 'probabilities', contributions: 'contributions' },
    training: { data: 'none', dataSha256: '0'.repeat(64), command: 'none', metrics: {} },
  };
}

export const temporaryFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'millwright-models-'));

/** Writes a random classifier as a package and loads it. */
export async function toyPackage(sizes: readonly number[] = [12, 16, 4], seed = 1, batch = 32): Promise<ModelPackage> {
  const { network, scaler, labels } = randomClassifier(sizes, seed);
  const features = Array.from({ length: sizes[0]! }, (_, i) => `s${i}.mean`);
  const directory = await temporaryFolder();
  await writePackage(directory, diagnosisManifest(features, labels, scaler, batch), exportClassifier(network, scaler, batch));
  return loadPackage(directory);
}

export const silentLogger = { info: (): void => undefined, warn: (): void => undefined };
