import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { cp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { temporaryFolder, toyPackage } from '../testing/packages.js';
import { ObjectFolder, checkPackage } from './object-folder.js';
import { generateKey, readTrustedKeys, signPackage, type TrustedKeys } from './signature.js';

let folder: string;
let signed: string;
let trusted: TrustedKeys;
let privateKey: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  signed = (await toyPackage()).directory;
  const key = generateKey('ada@example.org');
  privateKey = join(folder, 'ada.key');
  await writeFile(privateKey, key.privateKey);
  await writeFile(join(folder, 'trusted'), `# who may sign\n\n${key.publicLine}`);
  trusted = await readTrustedKeys(join(folder, 'trusted'));
  await signPackage(signed, privateKey, 'ada@example.org');
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  await rm(signed, { recursive: true });
});

/** A copy of the signed package with one file changed. */
async function changed(name: string, change: (text: string) => string): Promise<string> {
  const copy = join(await temporaryFolder(), 'copy');
  await cp(signed, copy, { recursive: true });
  const text = await readFile(join(copy, name), 'utf8').catch(() => '');
  await writeFile(join(copy, name), change(text));
  return copy;
}

describe('signed packages', () => {
  it('are known by who signed them', async () => {
    expect((await checkPackage(signed, trusted)).signedBy).toBe('ada@example.org');
    expect((await checkPackage(signed, undefined)).signedBy).toBeUndefined();
  });

  it('are signed as OpenSSL verifies it', async () => {
    const { files, signature } = JSON.parse(await readFile(join(signed, 'signature.json'), 'utf8')) as { files: Record<string, string>; signature: string };
    const lines = execFileSync('sha256sum', Object.keys(files), { cwd: signed, encoding: 'utf8' });
    await writeFile(join(folder, 'message'), `millwright-signature/1\n${lines}`);
    await writeFile(join(folder, 'signature'), Buffer.from(signature, 'base64'));
    const answer = execFileSync('openssl', ['pkeyutl', '-verify', '-inkey', privateKey, '-rawin', '-in', join(folder, 'message'), '-sigfile', join(folder, 'signature')], { encoding: 'utf8' });
    expect(answer).toContain('Verified Successfully');
  });

  it('are refused when a file is changed, added or gone, or someone else signed, each in one sentence', async () => {
    const refused = async (directory: string, keys: TrustedKeys | undefined = trusted): Promise<string> => {
      const error: unknown = await checkPackage(directory, keys).catch((caught: unknown) => caught);
      expect(error).toMatchObject({ name: 'ModelPackageError', badInput: true });
      return (error as Error).message.replaceAll(directory, '<package>');
    };
    expect(await refused(await changed('manifest.json', (text) => text.replace('random weights', 'other words')))).toBe(
      '<package>/manifest.json: not the file that ada@example.org signed; copy the whole package again, or have it signed as it is.',
    );
    expect(await refused(await changed('README', () => 'added'))).toContain('<package>/README: not the file that ada@example.org signed');
    expect(await refused(await changed('model.onnx', (text) => `${text}.`), undefined)).toContain('it was changed or only partly copied');
    expect(await refused(await changed('signature.json', (text) => text.replace(/("signature": ")..../, '$1AAAA')))).toContain('field signature: it was not made by the trusted key ada@example.org');
    expect(await refused(await changed('signature.json', (text) => text.replace('ada@', 'eve@')))).toContain('"eve@example.org" is none of the trusted keys (ada@example.org)');
    const unsigned = await changed('signature.json', (text) => text);
    await rm(join(unsigned, 'signature.json'));
    expect(await refused(unsigned)).toBe('<package>: nobody has signed this package, and only trusted keys count; sign it with `millwright models sign`.');
    const other = generateKey('ada@example.org');
    await writeFile(join(folder, 'other'), other.publicLine);
    expect(await refused(signed, await readTrustedKeys(join(folder, 'other')))).toContain('it was not made by the trusted key');
  });

  it('says which line of a file of keys is none', async () => {
    await writeFile(join(folder, 'wrong'), '# keys\nrsa AAAA eve\n');
    await expect(readTrustedKeys(join(folder, 'wrong'))).rejects.toThrow('wrong, line 2: this is no public key');
    await writeFile(join(folder, 'wrong'), 'ed25519 AAAA eve\n');
    await expect(readTrustedKeys(join(folder, 'wrong'))).rejects.toThrow('wrong, line 1: this is no key');
  });
});

describe('object folder', () => {
  it('takes a package once, and never another in its place', async () => {
    const objects = new ObjectFolder(join(folder, 'registry'));
    const added = await objects.add(signed, trusted);
    expect(added.package.directory).toBe(join(folder, 'registry', 'toy', '1.0.0'));
    for (const file of ['manifest.json', 'model.onnx', 'signature.json']) expect((await stat(join(added.package.directory, file))).mode & 0o222).toBe(0);
    expect((await objects.add(signed, trusted)).sha256).toBe(added.sha256);
    const other = (await toyPackage([12, 16, 4], 2)).directory;
    await expect(objects.add(other, undefined)).rejects.toThrow('another package is kept as toy 1.0.0');
    expect((await objects.open('toy', '1.0.0', trusted)).sha256).toBe(added.sha256);
  });

  it('says what is not there', async () => {
    await expect(new ObjectFolder(join(folder, 'registry')).open('toy', '9', trusted)).rejects.toThrow("manifest.json: can't be read (ENOENT)");
    await expect(new ObjectFolder(join(folder, 'registry')).open('toy', '../../elsewhere', trusted)).rejects.toThrow('"../../elsewhere" is no version of toy');
  });
});
