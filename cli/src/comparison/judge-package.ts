import type { Windows } from '@millwright/learning';
import { startOnnxEngine, type ModelPackage } from '@millwright/models';

/** What a package says of windows, as ONNX Runtime runs it. */
export interface Judged {
  /** By role, as manifests name outputs (probabilities; value, lower, upper; score): [rows, width]. */
  readonly outputs: Readonly<Record<string, Float32Array>>;
  /** On one thread, without the time to hand windows over. */
  readonly windowsPerSecond: number;
}

/** Runs a package on windows; the one way in which every model of a comparison is judged. */
export async function judgePackage(model: ModelPackage, { values, rows }: Windows): Promise<Judged> {
  const engine = await startOnnxEngine({ packages: [model], workers: 1, device: 'cpu', logger: { info: () => undefined, warn: () => undefined } });
  try {
    const { width, manifest } = model;
    const outputs = Object.fromEntries(model.outputs.map((output) => [output.role, new Float32Array(rows * output.width)]));
    let milliseconds = 0;
    const most = engine.mostBatches(model) * manifest.batch;
    for (let from = 0; from < rows; from += most) {
      const count = Math.min(most, rows - from);
      const result = await engine.run(model, Math.ceil(count / manifest.batch), (input) => {
        input.fill(0);
        input.set(values.subarray(from * width, (from + count) * width));
      });
      milliseconds += result.milliseconds;
      model.outputs.forEach(({ role, width: each }, i) => outputs[role]!.set(result.outputs[i]!.subarray(0, count * each), from * each));
    }
    return { outputs, windowsPerSecond: rows / (milliseconds / 1000) };
  } finally {
    await engine.close();
  }
}
