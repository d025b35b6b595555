import type { ModelPackage } from '@millwright/models';
import { VERSION } from '@millwright/shell';

/** What ServerMetadata says, however it was asked. */
export const SERVER = {
  name: 'millwright',
  version: VERSION,
  /** Extensions of the protocol, by the names that Triton gives them. */
  extensions: ['classification', 'binary_tensor_data', 'model_repository', 'schedule_policy'],
};

export interface TensorMetadata {
  readonly name: string;
  readonly datatype: string;
  /** -1: any number of rows. */
  readonly shape: readonly number[];
}

/** What ModelMetadata says. */
export interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

/** Of a package, among the loaded ones of its name. */
export function modelMetadata({ manifest, outputs }: ModelPackage, loaded: readonly ModelPackage[], platform: string): ModelMetadata {
  const { name, input } = manifest;
  return {
    name,
    versions: loaded.map((each) => each.manifest.version),
    platform,
    inputs: [{ name: input.name, datatype: 'FP32', shape: [-1, input.history, input.features.length] }],
    outputs: outputs.map((each) => ({ name: each.name, datatype: 'FP32', shape: [-1, each.width] })),
  };
}
