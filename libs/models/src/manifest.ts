import { z } from 'zod';

const name = z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'expected lower-case letters, digits and hyphens');
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits');
const numbers = z.array(z.number());
const outputName = z.string().min(1);

/** Engines, and the file of a package that each reads the graph from. */
export const MODEL_FILES = { onnx: 'model.onnx', tfjs: 'model.json' } as const;
export type EngineName = keyof typeof MODEL_FILES;

/** How a quantity was distributed in training, in bins; Profile in libs/quality says more. */
const profile = z.strictObject({
  /** Ascending: just below the least value, the quantiles, the greatest value. */
  edges: z.array(z.number()).max(100),
  /** Rows in each of the edges.length + 1 bins. */
  counts: z.array(z.int().min(0)),
  /** Rows without a value. */
  missing: z.int().min(0),
  /** Population stability index above which it has drifted. */
  limit: z.number().positive(),
});

const common = {
  /** Format of this file. */
  format: z.literal('millwright-model/1'),
  /** What runs the graph: "onnx" (default) a model.onnx, "tfjs" a model.json of TensorFlow.js, a layers or a graph model, with its weights. */
  engine: z.enum(['onnx', 'tfjs']).optional(),
  name,
  version: z.string().min(1),
  description: z.string(),
  /** Asset kinds of the plant file that the model judges. */
  kinds: z.array(name).min(1),
  /**
   * The graph's one input: float32 [batch, history, features.length], raw feature values, NaN where there is none.
   * The last step of the history is the present window. Rows beyond those asked for are zero.
   */
  input: z.strictObject({
    name: z.string().min(1),
    /** "<signal>.<feature>", in the order of the input's last axis. */
    features: z.array(z.string().regex(/^[^.]+\.[^.]+$/, 'expected "<signal>.<feature>"')).min(1),
    /** Windows that one judgement looks at. */
    history: z.int().min(1),
  }),
  /** Rows of every run. Results must not depend on how windows were batched, so the shape is always the same. */
  batch: z.int().min(1).max(4096).default(32),
  /**
   * What the graph does to its input first, fitted on the training data, one value a feature: NaN becomes `impute`, then
   * (x - mean) / std, then limited to ±clip. It is in the graph; here it stands for people and for drift monitors.
   */
  preprocessing: z.strictObject({ impute: numbers, mean: numbers, std: z.array(z.number().positive()), clip: z.number().positive() }),
  /**
   * What the model saw in training, so that drift from it is noticed. Prediction: of the value, of the score, or of the probability of the
   * normal label where that wins.
   */
  profile: z.strictObject({ /** In the order of input.features. */ inputs: z.array(profile), prediction: profile }).optional(),
  training: z.strictObject({
    data: z.string(),
    dataSha256: sha256,
    /** Command that rebuilds this package, byte for byte, from the same data. */
    command: z.string(),
    /** Figures on data that was not trained on. */
    metrics: z.record(z.string(), z.number()),
  }),
  /** Of model.onnx or model.json; checked whenever the package is loaded. */
  sha256,
  /** Checksums of the files of weights that model.json names, by file name. */
  weights: z.record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'expected the name of a file beside the manifest'), sha256).optional(),
};

const manifestSchema = z.discriminatedUnion('task', [
  z.strictObject({
    task: z.literal('diagnosis'),
    ...common,
    labels: z.array(z.string().min(1)).min(2),
    /** The label of a healthy machine. */
    normal: z.string(),
    /** A window whose most probable label has less than `threshold` is of no condition that was trained. Without it, none is. */
    unknown: z.strictObject({ threshold: z.number().min(0).max(1) }).optional(),
    /**
     * How what is said of one window after the other is made to follow the course of the machine (Persistence in libs/signal): `change` is the
     * chance that the label changes from one window to the next, `evidence` the exponent of a window's probabilities. The first window, and
     * the first after a gap, come after good health. The graph does not do it; whoever runs it does. `unknown` is of what is filtered.
     */
    filter: z.strictObject({ change: z.number().gt(0).lt(1), evidence: z.number().gt(0).max(1) }).optional(),
    outputs: z.strictObject({
      /** float32 [batch, labels.length], each row adds up to 1. */
      probabilities: outputName,
      /** float32 [batch, features.length]: what each feature added to the winning class's score. */
      contributions: outputName.optional(),
    }),
  }),
  z.strictObject({
    task: z.literal('regression'),
    ...common,
    quantity: z.string().min(1),
    unit: z.string(),
    /** Share of cases that the interval is to cover. */
    coverage: z.number().gt(0).lt(1),
    /** value, lower and upper: float32 [batch, 1] each. */
    outputs: z.strictObject({ value: outputName, lower: outputName, upper: outputName, contributions: outputName.optional() }),
  }),
  z.strictObject({
    task: z.literal('anomaly'),
    ...common,
    /** Scores above it are anomalous. */
    limit: z.number(),
    /** score: float32 [batch, 1]. */
    outputs: z.strictObject({ score: outputName, contributions: outputName.optional() }),
  }),
]);

/** manifest.json of a model package, checked. */
export type Manifest = z.output<typeof manifestSchema>;
export type DiagnosisManifest = Extract<Manifest, { task: 'diagnosis' }>;

/** What is wrong with a manifest: where, and what. */
export interface ManifestProblem {
  readonly field: string;
  readonly problem: string;
}

/** The manifest in `value`, or the first thing that is wrong with it. */
export function parseManifest(value: unknown): Manifest | ManifestProblem {
  const parsed = manifestSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    return { field: issue.path.join('.') || '(top level)', problem: issue.message };
  }
  return inconsistency(parsed.data) ?? parsed.data;
}

function inconsistency(manifest: Manifest): ManifestProblem | undefined {
  if (manifest.engine !== 'tfjs' && manifest.weights !== undefined) return { field: 'weights', problem: 'model.onnx holds its weights itself' };
  const { features } = manifest.input;
  const twice = repeated(features);
  if (twice !== undefined) return { field: 'input.features', problem: `"${twice}" stands there twice` };
  for (const field of ['impute', 'mean', 'std'] as const) {
    const count = manifest.preprocessing[field].length;
    if (count !== features.length) return { field: `preprocessing.${field}`, problem: `${count} values for ${features.length} features` };
  }
  const unsound = inconsistentProfile(manifest);
  if (unsound !== undefined) return unsound;
  if (manifest.task !== 'diagnosis') return undefined;
  const label = repeated(manifest.labels);
  if (label !== undefined) return { field: 'labels', problem: `"${label}" stands there twice` };
  if (manifest.unknown !== undefined && manifest.labels.includes('unknown')) return { field: 'labels', problem: '"unknown" is what results say of windows below the threshold of field unknown' };
  if (!manifest.labels.includes(manifest.normal)) return { field: 'normal', problem: `"${manifest.normal}" is not among the labels` };
  return undefined;
}

function inconsistentProfile({ profile: given, input: { features } }: Manifest): ManifestProblem | undefined {
  if (given === undefined) return undefined;
  if (given.inputs.length !== features.length) return { field: 'profile.inputs', problem: `${given.inputs.length} profiles for ${features.length} features` };
  for (const [i, { edges, counts }] of [...given.inputs, given.prediction].entries()) {
    const field = i < features.length ? `profile.inputs.${i}` : 'profile.prediction';
    if (counts.length !== edges.length + 1) return { field, problem: `${counts.length} counts for ${edges.length} edges, which make ${edges.length + 1} bins` };
    if (edges.some((edge, k) => k > 0 && !(edge > edges[k - 1]!))) return { field, problem: 'the edges do not ascend' };
  }
  return undefined;
}

function repeated(names: readonly string[]): string | undefined {
  return names.find((each, index) => names.indexOf(each) !== index);
}
