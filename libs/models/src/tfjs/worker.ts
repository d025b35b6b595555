import type { GraphModel, io, LayersModel, NamedTensorMap, Tensor } from '@tensorflow/tfjs';
import type { WorkerModel } from '../workers/protocol.js';
import { serve } from '../workers/serve.js';

type Tfjs = typeof import('@tensorflow/tfjs');

/** What a model.json holds (TensorFlow.js, "Save and load models"). */
interface ModelJson {
  readonly format?: string;
  readonly modelTopology: object;
  readonly weightsManifest: readonly { readonly paths: readonly string[]; readonly weights: io.WeightsManifestEntry[] }[];
  readonly signature?: object;
}

/** A loaded model: its outputs, and what computes them in the order of the manifest. */
interface Graph {
  readonly outputs: readonly { readonly name: string; readonly width: number | null | undefined }[];
  readonly input: readonly (number | null)[] | undefined;
  run(input: Tensor): Tensor[];
}

/** Thread of the TensorFlow.js engine, which computes where it is called. */
await serve({
  async open(model, device) {
    const tf = await imported(device);
    const graph = await load(tf, model).catch((error: unknown) => {
      throw new Error(`${model.label}: can't be loaded (${(error as Error).message}); rebuild the package with the command in its manifest's field training.command`);
    });
    agree(model, graph);
    return {
      bind: (values, written) => () => {
        tf.tidy(() => {
          // A copy: backends in C++ don't take memory that threads share.
          const results = graph.run(tf.tensor(values.slice(), [...model.input.shape], 'float32'));
          results.forEach((result, i) => written[i]!.set(result.dataSync()));
        });
        return Promise.resolve();
      },
    };
  },
});

async function imported(name: string): Promise<Tfjs> {
  const specifier = `@tensorflow/${name}`;
  const module = (await import(specifier)) as Partial<Tfjs> & { readonly default: Tfjs };
  // The packages for Node are CommonJS, of which not every name is found.
  const tf = module.loadLayersModel === undefined ? module.default : (module as Tfjs);
  // Without it, plain TensorFlow.js advertises the Node packages on the console.
  tf.enableProdMode();
  await tf.ready();
  return tf;
}

async function load(tf: Tfjs, { model, weights, input, outputs }: WorkerModel): Promise<Graph> {
  const json = JSON.parse(new TextDecoder().decode(model)) as ModelJson;
  const artifacts: io.ModelArtifacts = {
    modelTopology: json.modelTopology,
    weightSpecs: json.weightsManifest.flatMap((group) => group.weights),
    weightData: joined(json.weightsManifest.flatMap(({ paths }) => paths).map((path) => fileOf(weights, path))),
    ...(json.format === undefined ? {} : { format: json.format }),
    ...(json.signature === undefined ? {} : { signature: json.signature }),
  };
  const names = outputs.map(({ name }) => name);
  if (json.format === 'graph-model') return ofGraph(await tf.loadGraphModel(tf.io.fromMemory(artifacts)), input.name, names);
  return ofLayers(await tf.loadLayersModel(tf.io.fromMemory(artifacts)), names);
}

function ofGraph(model: GraphModel, input: string, names: string[]): Graph {
  return {
    outputs: model.outputs.map(({ name, shape }) => ({ name, width: shape?.at(-1) })),
    input: model.inputs.find(({ name }) => name === input)?.shape,
    run(tensor) {
      const result = model.execute({ [input]: tensor } as NamedTensorMap, names);
      return Array.isArray(result) ? result : [result];
    },
  };
}

/** Outputs are named by the layer that they come from. */
function ofLayers(model: LayersModel, names: readonly string[]): Graph {
  const own = model.outputs.map(({ sourceLayer }) => sourceLayer.name);
  return {
    outputs: model.outputs.map(({ shape }, i) => ({ name: own[i]!, width: shape.at(-1) })),
    input: model.inputs.length === 1 ? model.inputs[0]!.shape : undefined,
    run(tensor) {
      const result = model.predictOnBatch(tensor);
      const all = Array.isArray(result) ? result : [result];
      return names.map((name) => all[own.indexOf(name)]!);
    },
  };
}

/** @throws Error when the graph is not what the manifest says. */
function agree(model: WorkerModel, { input, outputs }: Graph): void {
  const { shape, name } = model.input;
  const isAny = (size: number | null): boolean => size === null || size === -1;
  if (input?.length !== shape.length || !input.every((size, axis) => isAny(size) || size === shape[axis])) {
    throw new Error(`${model.label}: the graph's input must be "${name}", float32 [${shape.join(', ')}], and the only one; correct the manifest's fields input and batch, or export the graph so`);
  }
  for (const wanted of model.outputs) {
    const output = outputs.find((each) => each.name === wanted.name);
    if (output === undefined || (typeof output.width === 'number' && !isAny(output.width) && output.width !== wanted.width)) {
      throw new Error(`${model.label}: the graph has no output "${wanted.name}", float32 [${model.batch}, ${wanted.width}]; correct the manifest's field outputs, or export the graph so`);
    }
  }
}

function fileOf(weights: ReadonlyMap<string, Uint8Array>, path: string): Uint8Array {
  const bytes = weights.get(path);
  if (bytes === undefined) throw new Error(`it names the file ${path}, and the manifest's field weights does not`);
  return bytes;
}

function joined(parts: readonly Uint8Array[]): ArrayBuffer {
  const all = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.byteLength;
  }
  return all.buffer;
}
