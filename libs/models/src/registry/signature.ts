import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ModelPackageError } from '../package.js';
import { hashFiles, hashLines, SIGNATURE_FILE, type FileHashes } from './files.js';

/** A file of keys that can't be used. The message names it and says what to do. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError';
  readonly badInput = true;
}

/** Public keys that packages may be signed with, by their names. */
export type TrustedKeys = ReadonlyMap<string, KeyObject>;

/** signature.json of a package. */
const signatureSchema = z.strictObject({
  format: z.literal('millwright-signature/1'),
  /** Name of the key. Who trusts it knows it by this name. */
  key: z.string().min(1),
  /** SHA-256 of each other file. */
  files: z.record(z.string(), z.string()),
  /** Ed25519 (RFC 8032) over what `signed` makes of the files, base64. */
  signature: z.base64(),
});

/** What is signed: the format, then one line a file, as `sha256sum` prints them. */
const signed = (hashes: FileHashes): Buffer => Buffer.from(`millwright-signature/1\n${hashLines(hashes)}`);

const KEY_NAME = /^[^\s]+$/;

/**
 * A new pair: the private key (PKCS #8, PEM), and the line of the public one for files of trusted keys, "ed25519 <base64 of its SPKI> <name>".
 * @throws KeyFileError for a name with spaces
 */
export function generateKey(name: string): { readonly privateKey: string; readonly publicLine: string } {
  if (!KEY_NAME.test(name)) throw new KeyFileError(`"${name}" can't name a key: give a name without spaces, for example an address.`);
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicLine: `ed25519 ${publicKey.export({ type: 'spki', format: 'der' }).toString('base64')} ${name}\n`,
  };
}

/**
 * Reads a file of trusted keys: one line a key as generateKey writes it; empty lines and those that begin with # are skipped.
 * @throws KeyFileError
 */
export async function readTrustedKeys(file: string): Promise<TrustedKeys> {
  const text = await read(file, 'give the path of a file of public keys, as `millwright models keygen` writes them');
  const keys = new Map<string, KeyObject>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const at = `${file}, line ${index + 1}`;
    const [type, base64, name, ...rest] = line.trim().split(/\s+/);
    if (type !== 'ed25519' || base64 === undefined || name === undefined || rest.length > 0) throw new KeyFileError(`${at}: this is no public key; a line is "ed25519 <key> <name>", as \`millwright models keygen\` writes it.`);
    if (keys.has(name)) throw new KeyFileError(`${at}: there is a key ${name} above already; give each a name of its own.`);
    keys.set(name, ed25519(at, () => createPublicKey({ key: Buffer.from(base64, 'base64'), type: 'spki', format: 'der' })));
  }
  return keys;
}

/**
 * Signs a package: writes its signature.json, in the place of an earlier one.
 * @param name by which those who trust the key know it
 * @throws KeyFileError, ModelPackageError
 */
export async function signPackage(directory: string, keyFile: string, name: string): Promise<void> {
  const key = ed25519(keyFile, (pem) => createPrivateKey(pem), await read(keyFile, 'give the path of a private key, as `millwright models keygen` writes it'));
  const hashes = await hashFiles(directory);
  const signature = { format: 'millwright-signature/1', key: name, files: Object.fromEntries(hashes), signature: sign(null, signed(hashes), key).toString('base64') };
  await writeFile(join(directory, SIGNATURE_FILE), `${JSON.stringify(signature, undefined, 2)}\n`);
}

/**
 * Checks who stands for a package whose files have these hashes.
 * @param trusted undefined where nobody need stand for packages
 * @returns name of the key; undefined where no keys are trusted and the package has no signature, or one that nothing was to be checked by
 * @throws ModelPackageError where keys are trusted and none of them signed just these files
 */
export async function checkSignature(directory: string, hashes: FileHashes, trusted: TrustedKeys | undefined): Promise<string | undefined> {
  if (trusted === undefined) return undefined;
  const file = join(directory, SIGNATURE_FILE);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new ModelPackageError(directory, undefined, 'nobody has signed this package, and only trusted keys count', 'sign it with `millwright models sign`');
    throw new ModelPackageError(file, undefined, `can't be read (${error.code ?? String(error)})`, 'sign the package again');
  });
  const { key: name, files, signature } = parse(file, text);
  const key = trusted.get(name);
  if (key === undefined) throw new ModelPackageError(file, 'key', `"${name}" is none of the trusted keys (${[...trusted.keys()].join(', ') || 'there are none'})`, 'have it signed by one of them, or add this one to the file of trusted keys');
  const changed = differing(hashes, files);
  if (changed !== undefined) throw new ModelPackageError(join(directory, changed), undefined, `not the file that ${name} signed`, 'copy the whole package again, or have it signed as it is');
  if (!verify(null, signed(hashes), key, Buffer.from(signature, 'base64'))) {
    throw new ModelPackageError(file, 'signature', `it was not made by the trusted key ${name}`, `have the package signed by ${name}, or look for who changed it`);
  }
  return name;
}

function parse(file: string, text: string): z.output<typeof signatureSchema> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ModelPackageError(file, undefined, `not JSON (${(error as Error).message.replace(/\s+/g, ' ')})`, 'sign the package again');
  }
  const parsed = signatureSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new ModelPackageError(file, issue.path.join('.') || '(top level)', issue.message, 'sign the package again');
}

/** A file that is not as it was, was added, or is gone. */
function differing(hashes: FileHashes, files: Readonly<Record<string, string>>): string | undefined {
  for (const [name, hash] of hashes) if (files[name] !== hash) return name;
  return Object.keys(files).find((name) => !hashes.has(name));
}

async function read(file: string, remedy: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new KeyFileError(`${file} can't be read (${(error as NodeJS.ErrnoException).code ?? String(error)}): ${remedy}.`);
  }
}

function ed25519(place: string, make: (text: string) => KeyObject, text = ''): KeyObject {
  let key: KeyObject;
  try {
    key = make(text);
  } catch (error) {
    throw new KeyFileError(`${place}: this is no key (${(error as Error).message}); make one with \`millwright models keygen\`.`);
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new KeyFileError(`${place}: a key of the sort ${key.asymmetricKeyType}, and packages are signed with ed25519; make one with \`millwright models keygen\`.`);
  return key;
}
