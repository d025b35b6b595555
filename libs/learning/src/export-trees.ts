import proto, { type onnx } from 'onnx-proto';
import type { Boosted } from './boosting.js';
import type { Forest } from './extra-trees.js';
import type { Tree } from './tree.js';

const { TensorProto, ModelProto, AttributeProto } = proto.onnx;

/** What becomes of the sums of boosted trees. */
export type Link = 'identity' | 'sigmoid' | 'softmax';

/**
 * Boosted trees as an ONNX graph (opset 13, ai.onnx.ml 3).
 * Input "features": float32 [batch, columns], raw, NaN where there is none. Output "output": float32 [batch, outputs].
 */
export function exportBoosted({ outputs, base, trees }: Boosted, columns: number, batch: number, link: Link): Uint8Array {
  const leaves = trees.map((tree, index) => ({ tree, width: 1, offset: index % outputs, scale: 1 }));
  return graphOf(ensembleOf(leaves, outputs, base), columns, batch, outputs, link);
}

/** A forest as an ONNX graph, as exportBoosted; output "output": probabilities, float32 [batch, classes]. */
export function exportForest({ classes, trees }: Forest, columns: number, batch: number): Uint8Array {
  const leaves = trees.map((tree) => ({ tree, width: classes, offset: 0, scale: 1 / trees.length }));
  return graphOf(ensembleOf(leaves, classes, new Float64Array(classes)), columns, batch, classes, 'identity');
}

interface Member {
  readonly tree: Tree;
  /** Values of a leaf, for the outputs from `offset` on, and their factor. */
  readonly width: number;
  readonly offset: number;
  readonly scale: number;
}

function ensembleOf(members: readonly Member[], outputs: number, base: Float64Array): onnx.IAttributeProto[] {
  const nodes = { trees: [] as number[], ids: [] as number[], columns: [] as number[], thresholds: [] as number[], left: [] as number[], right: [] as number[], modes: [] as string[] };
  const leaves = { trees: [] as number[], ids: [] as number[], outputs: [] as number[], values: [] as number[] };
  members.forEach(({ tree, width, offset, scale }, index) => {
    tree.column.forEach((column, node) => {
      const isLeaf = column < 0;
      nodes.trees.push(index);
      nodes.ids.push(node);
      nodes.columns.push(isLeaf ? 0 : column);
      nodes.thresholds.push(tree.threshold[node]!);
      nodes.left.push(isLeaf ? 0 : tree.left[node]!);
      nodes.right.push(isLeaf ? 0 : tree.right[node]!);
      nodes.modes.push(isLeaf ? 'LEAF' : 'BRANCH_LEQ');
      if (!isLeaf) return;
      for (let i = 0; i < width; i++) {
        leaves.trees.push(index);
        leaves.ids.push(node);
        leaves.outputs.push(offset + i);
        leaves.values.push(scale * tree.value[node * width + i]!);
      }
    });
  });
  return [
    ints('nodes_treeids', nodes.trees),
    ints('nodes_nodeids', nodes.ids),
    ints('nodes_featureids', nodes.columns),
    floats('nodes_values', nodes.thresholds),
    ints('nodes_truenodeids', nodes.left),
    ints('nodes_falsenodeids', nodes.right),
    { name: 'nodes_modes', type: AttributeProto.AttributeType.STRINGS, strings: nodes.modes.map((mode) => new TextEncoder().encode(mode)) },
    // Missing values go left, as leafOf has it.
    ints('nodes_missing_value_tracks_true', nodes.ids.map(() => 1)),
    ints('target_treeids', leaves.trees),
    ints('target_nodeids', leaves.ids),
    ints('target_ids', leaves.outputs),
    floats('target_weights', leaves.values),
    floats('base_values', [...base]),
    { name: 'n_targets', type: AttributeProto.AttributeType.INT, i: outputs },
  ];
}

function graphOf(attribute: onnx.IAttributeProto[], columns: number, batch: number, outputs: number, link: Link): Uint8Array {
  const sums = link === 'identity' ? 'output' : 'sums';
  const node: onnx.INodeProto[] = [{ opType: 'TreeEnsembleRegressor', domain: 'ai.onnx.ml', name: 'trees', input: ['features'], output: [sums], attribute }];
  if (link === 'sigmoid') node.push({ opType: 'Sigmoid', name: 'link', input: [sums], output: ['output'] });
  if (link === 'softmax') node.push({ opType: 'Softmax', name: 'link', input: [sums], output: ['output'], attribute: [{ name: 'axis', type: AttributeProto.AttributeType.INT, i: 1 }] });
  return ModelProto.encode({
    irVersion: 8,
    producerName: 'millwright',
    opsetImport: [
      { domain: '', version: 13 },
      { domain: 'ai.onnx.ml', version: 3 },
    ],
    graph: { name: 'trees', node, input: [tensor('features', [batch, columns])], output: [tensor('output', [batch, outputs])] },
  }).finish();
}

const tensor = (name: string, dims: readonly number[]): onnx.IValueInfoProto => ({
  name,
  type: { tensorType: { elemType: TensorProto.DataType.FLOAT, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } },
});

const ints = (name: string, values: number[]): onnx.IAttributeProto => ({ name, type: AttributeProto.AttributeType.INTS, ints: values });

const floats = (name: string, values: number[]): onnx.IAttributeProto => ({ name, type: AttributeProto.AttributeType.FLOATS, floats: values });
