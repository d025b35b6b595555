import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseManifest, type Manifest } from './manifest.js';

/** An output of the graph, in the order in which engines return them. */
export interface ModelOutput {
  readonly role: string;
  /** Name in the graph. */
  readonly name: string;
  /** Values a row. */
  readonly width: number;
}

/** A model package as loaded: a folder with manifest.json and model.onnx. */
export interface ModelPackage {
  readonly directory: string;
  readonly manifest: Manifest;
  /** model.onnx, whole. */
  readonly model: Uint8Array;
  /** Input values a row: history × features. */
  readonly width: number;
  readonly outputs: readonly ModelOutput[];
}

/** Thrown for a package that can't be used. The message names file and field and says what to do. */
export class ModelPackageError extends Error {
  override readonly name = 'ModelPackageError';
  readonly badInput = true;
  constructor(
    readonly file: string,
    readonly field: string | undefined,
    problem: string,
    remedy: string,
  ) {
    super(`${file}${field === undefined ? '' : `, field ${field}`}: ${problem}; ${remedy}.`);
  }
}

const REBUILD = 'correct it, or rebuild the package with the command in its field training.command';

/**
 * Reads a package and checks it whole.
 * @throws ModelPackageError
 */
export async function loadPackage(directory: string): Promise<ModelPackage> {
  const manifestFile = join(directory, 'manifest.json');
  const modelFile = join(directory, 'model.onnx');
  const text = (await read(manifestFile)).toString('utf8');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ModelPackageError(manifestFile, undefined, `not JSON (${(error as Error).message.replace(/\s+/g, ' ')})`, 'correct it');
  }
  const manifest = parseManifest(json);
  if ('problem' in manifest) throw new ModelPackageError(manifestFile, manifest.field, manifest.problem, REBUILD);
  const model = await read(modelFile);
  const sha256 = sha256Of(model);
  if (sha256 !== manifest.sha256) {
    throw new ModelPackageError(
      manifestFile,
      'sha256',
      `${modelFile} has ${sha256}, not ${manifest.sha256}: it was changed or only partly copied`,
      'copy the whole package again, or rebuild it with the command in its field training.command',
    );
  }
  return { directory, manifest, model, width: manifest.input.history * manifest.input.features.length, outputs: outputsOf(manifest) };
}

/** A manifest before model.onnx's checksum is known. */
export type UnsignedManifest = Manifest extends infer M ? (M extends Manifest ? Omit<M, 'sha256'> : never) : never;

/**
 * Writes a package; the same arguments give the same bytes. The manifest comes last, so a write that was cut short does not load.
 * @throws ModelPackageError when the manifest would not load again.
 */
export async function writePackage(directory: string, manifest: UnsignedManifest, model: Uint8Array): Promise<void> {
  const file = join(directory, 'manifest.json');
  const signed = { ...manifest, sha256: sha256Of(model) };
  const checked = parseManifest(signed);
  if ('problem' in checked) throw new ModelPackageError(file, checked.field, checked.problem, 'correct what wrote it');
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'model.onnx'), model);
  await writeFile(file, `${readable(signed)}\n`);
}

function outputsOf(manifest: Manifest): ModelOutput[] {
  const width = (role: string): number => {
    if (role === 'contributions') return manifest.input.features.length;
    return manifest.task === 'diagnosis' ? manifest.labels.length : 1;
  };
  return Object.entries(manifest.outputs)
    .filter((entry): entry is [string, string] => entry[1] !== undefined)
    .map(([role, name]) => ({ role, name, width: width(role) }));
}

async function read(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new ModelPackageError(file, undefined, `can't be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`, 'put the whole package there, a folder with manifest.json and model.onnx, or take the model out of the plant file');
  }
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Indented JSON with arrays of numbers on one line each. */
function readable(value: unknown): string {
  return JSON.stringify(value, undefined, 2).replace(/\[\s+(-?\d[^[\]{}"]*?)\s+\]/g, (_, list: string) => `[${list.replace(/\s+/g, ' ')}]`);
}
