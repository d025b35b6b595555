// node run-package.mjs PACKAGE DATASET: loads a package as the inference service does, runs it on the data set's test rows, and
// prints { device, manifest, outputs } with each output as [rows, width] by its role.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadPackage, startOnnxEngine } from '../../libs/models/dist/index.js';

const [folder, dataset] = process.argv.slice(2);
const model = await loadPackage(folder);
const { batch } = model.manifest;
const floats = (file) => new Float32Array(new Uint8Array(readFileSync(join(dataset, file))).buffer);
const windows = floats('windows.f32');
const rows = [...readFileSync(join(dataset, 'split.u8')).entries()].filter(([, part]) => part === 2).map(([row]) => row);
const engine = await startOnnxEngine({ packages: [model], workers: 1, device: 'cpu', logger: { info: () => undefined, warn: () => undefined } });
const outputs = Object.fromEntries(model.outputs.map(({ role }) => [role, []]));
for (let from = 0; from < rows.length; from += batch) {
  const chunk = rows.slice(from, from + batch);
  const result = await engine.run(model, 1, (input) => {
    input.fill(0);
    chunk.forEach((row, i) => input.set(windows.subarray(row * model.width, (row + 1) * model.width), i * model.width));
  });
  model.outputs.forEach(({ role, width }, o) => chunk.forEach((_, i) => outputs[role].push([...result.outputs[o].subarray(i * width, (i + 1) * width)])));
}
await engine.close();
console.log(JSON.stringify({ device: engine.device, manifest: model.manifest, outputs }));
