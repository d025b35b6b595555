import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, inflateRawSync } from 'node:zlib';
import { UsageError } from '../usage-error.js';

/** Reads the files of one data set; those that end in .gz are unpacked, and named without it. */
export class DataFolder {
  private constructor(
    readonly path: string,
    private readonly files: ReadonlyMap<string, string>,
  ) {}

  /** @returns undefined where there is no such folder */
  static async open(path: string): Promise<DataFolder | undefined> {
    const names = await readdir(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
      throw error;
    });
    return names && new DataFolder(path, new Map(names.sort().map((name) => [name.replace(/\.gz$/, ''), join(path, name)])));
  }

  has(name: string): boolean {
    return this.files.has(name);
  }

  /** Names of the files that the pattern fits, in order. */
  named(pattern: RegExp): string[] {
    return [...this.files.keys()].filter((name) => pattern.test(name));
  }

  async bytes(name: string): Promise<Buffer> {
    const file = this.files.get(name);
    if (file === undefined) throw new UsageError(`${join(this.path, name)} is missing: give a folder laid out as docs/models.md says.`);
    const bytes = await readFile(file);
    return file.endsWith('.gz') ? gunzipSync(bytes) : bytes;
  }

  async text(name: string): Promise<string> {
    return (await this.bytes(name)).toString('utf8');
  }

  /** Rows of numbers between blanks, without a heading. */
  async numbers(name: string): Promise<number[][]> {
    const lines = (await this.text(name)).split('\n').map((line) => line.trim());
    return lines.filter((line) => line !== '').map((line) => line.split(/\s+/).map(Number));
  }

  /** A table with a heading; fields hold no separators. */
  async table(name: string, separator: string): Promise<Table> {
    const [heading = '', ...lines] = (await this.text(name)).split(/\r?\n/);
    return new Table(heading.split(separator), lines.filter((line) => line !== '').map((line) => line.split(separator)), join(this.path, name));
  }
}

export class Table {
  constructor(
    readonly columns: readonly string[],
    readonly rows: readonly (readonly string[])[],
    private readonly file: string,
  ) {}

  texts(column: string): string[] {
    const at = this.columns.indexOf(column);
    if (at < 0) throw new UsageError(`${this.file} has no column "${column}": give the data set that docs/models.md names.`);
    return this.rows.map((row) => row[at]!);
  }

  /** NaN where a field is empty or no number. */
  numbers(column: string): number[] {
    return this.texts(column).map((text) => (text === '' ? NaN : Number(text)));
  }
}

/** One array of a NumPy .npz archive of float32 or float64 arrays, as float64. */
export function readNpz(archive: Buffer, array: string): Float64Array {
  for (let at = archive.indexOf('PK\u0001\u0002', 0, 'latin1'); at >= 0 && archive.readUInt32LE(at) === 0x02014b50; ) {
    const nameLength = archive.readUInt16LE(at + 28);
    const name = archive.toString('utf8', at + 46, at + 46 + nameLength);
    if (name === `${array}.npy`) {
      const local = archive.readUInt32LE(at + 42);
      const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
      const packed = archive.subarray(start, start + archive.readUInt32LE(at + 20));
      return readNpy(archive.readUInt16LE(at + 10) === 0 ? packed : inflateRawSync(packed));
    }
    at += 46 + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
  throw new UsageError(`the archive holds no array "${array}"`);
}

function readNpy(file: Buffer): Float64Array {
  const version = file[6]!;
  const start = version === 1 ? 10 : 12;
  const length = version === 1 ? file.readUInt16LE(8) : file.readUInt32LE(8);
  const header = file.toString('latin1', start, start + length);
  const data = file.subarray(start + length);
  const type = /'descr': '([^']+)'/.exec(header)?.[1];
  if (type === '<f4') return Float64Array.from({ length: data.length / 4 }, (_, i) => data.readFloatLE(4 * i));
  if (type === '<f8') return Float64Array.from({ length: data.length / 8 }, (_, i) => data.readDoubleLE(8 * i));
  throw new UsageError(`an array of type ${type ?? 'unknown'} was found where float32 or float64 was expected`);
}
