import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MODEL_FILES, parseManifest, type EngineName, type Manifest } from './manifest.js';

/** An output of the graph, in the order in which engines return them. */
export interface ModelOutput {
  readonly role: string;
  /** Name in the graph. */
  readonly name: string;
  /** Values a row. */
  readonly width: number;
}

/** A model package as its manifest describes it. */
export interface ModelDescription {
  readonly directory: string;
  readonly manifest: Manifest;
  /** Input values a row: history × features. */
  readonly width: number;
  readonly outputs: readonly ModelOutput[];
}

/** A model package as loaded: a folder with manifest.json and model.onnx, or model.json and its weights. */
export interface ModelPackage extends ModelDescription {
  /** model.onnx or model.json, whole. */
  readonly model: Uint8Array;
  /** Files of weights beside model.json, by name. */
  readonly weights: ReadonlyMap<string, Uint8Array>;
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
  const text = (await read(manifestFile)).toString('utf8');
  const description = describeModel(directory, text);
  const { manifest } = description;
  const model = await checked(directory, MODEL_FILES[engineOf(manifest)], manifest.sha256, 'sha256');
  const weights = new Map<string, Uint8Array>();
  for (const [name, sha256] of Object.entries(manifest.weights ?? {})) weights.set(name, await checked(directory, name, sha256, `weights.${name}`));
  return { ...description, model, weights };
}

/**
 * What the text of a manifest says of the package in a folder, which is not looked at.
 * @throws ModelPackageError
 */
export function describeModel(directory: string, text: string): ModelDescription {
  const manifestFile = join(directory, 'manifest.json');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ModelPackageError(manifestFile, undefined, `not JSON (${(error as Error).message.replace(/\s+/g, ' ')})`, 'correct it');
  }
  const manifest = parseManifest(json);
  if ('problem' in manifest) throw new ModelPackageError(manifestFile, manifest.field, manifest.problem, REBUILD);
  return { directory, manifest, width: manifest.input.history * manifest.input.features.length, outputs: outputsOf(manifest) };
}

/** The engine that runs a package. */
export const engineOf = ({ engine }: Pick<Manifest, 'engine'>): EngineName => engine ?? 'onnx';

/** A file of a package, if it has the checksum that the manifest's field says. */
async function checked(directory: string, name: string, expected: string, field: string): Promise<Uint8Array> {
  const file = join(directory, name);
  const bytes = await read(file);
  const actual = sha256Of(bytes);
  if (actual === expected) return bytes;
  throw new ModelPackageError(
    join(directory, 'manifest.json'),
    field,
    `${file} has ${actual}, not ${expected}: it was changed or only partly copied`,
    'copy the whole package again, or rebuild it with the command in its field training.command',
  );
}

/** A manifest before checksums are known. */
export type UnsignedManifest = Manifest extends infer M ? (M extends Manifest ? Omit<M, 'sha256' | 'weights'> : never) : never;

/**
 * Writes a package; the same arguments give the same bytes. The manifest comes last, so a write that was cut short does not load.
 * @throws ModelPackageError when the manifest would not load again.
 */
export async function writePackage(directory: string, manifest: UnsignedManifest, model: Uint8Array, weights: ReadonlyMap<string, Uint8Array> = new Map()): Promise<void> {
  const file = join(directory, 'manifest.json');
  const sums = Object.fromEntries([...weights].map(([name, bytes]) => [name, sha256Of(bytes)]));
  const signed = { ...manifest, sha256: sha256Of(model), ...(weights.size > 0 ? { weights: sums } : {}) };
  const parsed = parseManifest(signed);
  if ('problem' in parsed) throw new ModelPackageError(file, parsed.field, parsed.problem, 'correct what wrote it');
  await mkdir(directory, { recursive: true });
  for (const [name, bytes] of weights) await writeFile(join(directory, name), bytes);
  await writeFile(join(directory, MODEL_FILES[engineOf(manifest)]), model);
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
    throw new ModelPackageError(file, undefined, `can't be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`, 'put the whole package there, a folder with manifest.json and model.onnx (or model.json and its weights), or take the model out of the plant file');
  }
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Indented JSON with arrays of numbers on one line each. */
function readable(value: unknown): string {
  return JSON.stringify(value, undefined, 2).replace(/\[\s+(-?\d[^[\]{}"]*?)\s+\]/g, (_, list: string) => `[${list.replace(/\s+/g, ' ')}]`);
}
