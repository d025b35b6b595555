import type { onnx } from 'onnx-proto';
import type { Boosted } from './boosting.js';
import type { Forest } from './extra-trees.js';
import { floats, GraphBuilder, int, ints, texts } from './onnx-graph.js';
import type { Tree } from './tree.js';

/** Trees as attributes of a TreeEnsembleRegressor. */
export interface Ensemble {
  readonly attributes: onnx.IAttributeProto[];
  readonly outputs: number;
}

export function boostedEnsemble({ outputs, base, trees }: Boosted): Ensemble {
  const leaves = trees.map((tree, index) => ({ tree, width: 1, offset: index % outputs, scale: 1 }));
  return ensembleOf(leaves, outputs, base);
}

export function forestEnsemble({ classes, trees }: Forest): Ensemble {
  const leaves = trees.map((tree) => ({ tree, width: classes, offset: 0, scale: 1 / trees.length }));
  return ensembleOf(leaves, classes, new Float64Array(classes));
}

interface Member {
  readonly tree: Tree;
  /** Values of a leaf, for the outputs from `offset` on, and their factor. */
  readonly width: number;
  readonly offset: number;
  readonly scale: number;
}

function ensembleOf(members: readonly Member[], outputs: number, base: Float64Array): Ensemble {
  const nodes = { trees: [] as number[], ids: [] as number[], columns: [] as number[], thresholds: [] as number[], left: [] as number[], right: [] as number[], modes: [] as string[] };
  const leaves = { trees: [] as number[], ids: [] as number[], outputs: [] as number[], values: [] as number[] };
  members.forEach(({ tree, width, offset, scale }, index) => {
    tree.column.forEach((column, node) => {
      const isLeaf = column < 0;
      nodes.trees.push(index);
      nodes.ids.push(node);
      nodes.columns.push(isLeaf ? 0 : column);
      nodes.thresholds.push(float32Below(tree.threshold[node]!));
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
  const attributes = [
    ints('nodes_treeids', nodes.trees),
    ints('nodes_nodeids', nodes.ids),
    ints('nodes_featureids', nodes.columns),
    floats('nodes_values', nodes.thresholds),
    ints('nodes_truenodeids', nodes.left),
    ints('nodes_falsenodeids', nodes.right),
    texts('nodes_modes', nodes.modes),
    // Missing values go left, as leafOf has it.
    ints('nodes_missing_value_tracks_true', nodes.ids.map(() => 1)),
    ints('target_treeids', leaves.trees),
    ints('target_nodeids', leaves.ids),
    ints('target_ids', leaves.outputs),
    floats('target_weights', leaves.values),
    floats('base_values', [...base]),
    int('n_targets', outputs),
  ];
  return { attributes, outputs };
}

/** Adds an ensemble; returns the name of its sums, [batch, outputs]. Missing values go left, as leafOf has it. */
export const addTrees = (graph: GraphBuilder, input: string, { attributes }: Ensemble): string => graph.trees('TreeEnsembleRegressor', [input], 'sums', attributes);

/** The greatest float32 that is at most `threshold`: a float32 is at most the one just where it is at most the other. */
function float32Below(threshold: number): number {
  const rounded = Math.fround(threshold);
  if (rounded <= threshold) return rounded;
  const bits = new Int32Array(Float32Array.of(rounded).buffer);
  if (rounded === 0) return -1.401298464324817e-45;
  bits[0]! += rounded > 0 ? -1 : 1;
  return new Float32Array(bits.buffer)[0]!;
}
