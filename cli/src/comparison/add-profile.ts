import { takeWindows } from '@millwright/learning';
import { loadPackage, writePackage, type Manifest } from '@millwright/models';
import { blocksOf, modelProfile, saidOfHealth, type Said } from '../training/profile.js';
import { judgePackage, type Judged } from './judge-package.js';
import { rowsOf, type Prepared } from './prepare.js';
import { isClassified } from './runs.js';

/**
 * Adds to a package the profile that drift is measured from: inputs of training and validation windows, and what the package says of
 * those of validation, since models are surer of what they were trained on than they will be of anything else.
 */
export async function addProfile(folder: string, data: Prepared): Promise<void> {
  const loaded = await loadPackage(folder);
  const { manifest, model } = loaded;
  const { history, features, values } = data.windows;
  const width = features.length;
  const validation = rowsOf(data, 1);
  const seen = [...rowsOf(data, 0), ...validation].sort((a, b) => a - b);
  const inputs = new Float32Array(seen.length * width);
  seen.forEach((row, at) => inputs.set(values.subarray(((row + 1) * history - 1) * width, (row + 1) * history * width), at * width));
  const said = saidOf(manifest, await judgePackage(loaded, takeWindows(data.windows, validation)), blocksOfRows(data, validation));
  await writePackage(folder, { ...manifest, profile: modelProfile(manifest.task, { inputs, features: width, blocks: blocksOfRows(data, seen), said }) }, model);
}

function blocksOfRows({ task, runs, parts, truths }: Prepared, rows: readonly number[]): Int32Array {
  const of = (each: ArrayLike<number>): number[] => rows.map((row) => each[row]!);
  return blocksOf(rows.length, of(runs), of(parts), ...(isClassified(task) ? [of(truths)] : []));
}

/** Rounded as what the inference service publishes, in which another processor type makes no difference. */
function saidOf(manifest: Manifest, { outputs }: Judged, blocks: Int32Array): Said {
  const published = (values: Float32Array): number[] => Array.from(values, (value) => Math.round(value * 1e6) / 1e6);
  switch (manifest.task) {
    case 'diagnosis':
      return saidOfHealth(published(outputs['probabilities']!), manifest.labels.length, manifest.labels.indexOf(manifest.normal), blocks);
    case 'regression':
      return { values: published(outputs['value']!), blocks: [...blocks] };
    case 'anomaly':
      return { values: published(outputs['score']!), blocks: [...blocks] };
  }
}
