import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { ReplayError } from './error.js';

/** Longer lines are no measurements; refusing them keeps memory bounded. */
const LONGEST_LINE = 16 * 1024 * 1024;

/**
 * The lines of a text file, gunzipped where its name ends in .gz, a chunk's worth at a time; without line ends and byte order mark.
 * A cut-off gzip file gives the whole lines that it still has before it throws.
 * @throws ReplayError where the file can't be read or is not text.
 */
export async function* readLines(file: string): AsyncGenerator<string[]> {
  const decoder = new TextDecoder();
  let rest = '';
  let count = 0;
  let failure: unknown;
  for await (const chunk of readChunks(file, (error) => (failure = error))) {
    if (count === 0 && chunk.includes(0)) {
      throw new ReplayError(file, 'holds binary data, not text; give CSV, TSV, plain columns or a file named .parquet', 1);
    }
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop()!;
    if (rest.length > LONGEST_LINE) throw new ReplayError(file, 'has a line longer than 16 MiB; give a file with one row per line', count + lines.length + 1);
    if (lines.length === 0) continue;
    count += lines.length;
    yield lines.map(withoutCarriageReturn);
  }
  if (failure !== undefined) throw unreadable(file, failure, count);
  rest += decoder.decode();
  if (rest !== '') yield [withoutCarriageReturn(rest)];
}

/** The bytes of a file, gunzipped where its name ends in .gz. A failure ends them and is told to `failed`. */
export async function* readChunks(file: string, failed: (error: unknown) => void): AsyncGenerator<Uint8Array> {
  const raw = createReadStream(file);
  const bytes = file.endsWith('.gz') ? raw.pipe(createGunzip()) : raw;
  raw.on('error', (error) => bytes.destroy(error));
  try {
    yield* bytes as AsyncIterable<Uint8Array>;
  } catch (error) {
    failed(error);
  } finally {
    raw.destroy();
  }
}

/** What a failed read means for the person who named the file; `lines` were read before. */
export function unreadable(file: string, error: unknown, lines = 0): ReplayError {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOENT': return new ReplayError(file, 'there is no such file; check the path');
    case 'EISDIR': return new ReplayError(file, 'is a folder; name a file in it');
    case 'EACCES': return new ReplayError(file, 'may not be read by this user; change its permissions');
    case 'Z_BUF_ERROR': return new ReplayError(file, `the gzip data is cut off here; copy the file again (the ${lines} lines before were read)`, lines + 1);
    case 'Z_DATA_ERROR': return new ReplayError(file, `the gzip data is damaged here (${message}); copy the file again`, lines + 1);
    default: return new ReplayError(file, `can't be read (${message})`);
  }
}

function withoutCarriageReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}
