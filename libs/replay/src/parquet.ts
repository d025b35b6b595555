import { setImmediate } from 'node:timers/promises';
import { parquetMetadataAsync, parquetRead, parquetSchema, type AsyncBuffer, type FileMetaData, type ParquetParsers, type RowGroup } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { asyncBufferFromFile } from 'hyparquet/src/node.js';
import { compressors } from 'hyparquet-compressors';
import { ReplayError } from './error.js';
import { readChunks, unreadable } from './lines.js';
import { Instant, type Cell, type Table, type TableRow } from './table.js';

/** A row group is decoded as a whole, so its size bounds memory: 32 Mi values are 256 MiB. */
const MOST_VALUES = 32 * 1024 * 1024;
/** A gzipped Parquet file has to be unpacked in memory, since it is read from its end. */
const MOST_GZIPPED = 256 * 1024 * 1024;
/** Bytes of a row group's pages, unpacked. */
const MOST_UNPACKED = 1024 * 1024 * 1024;
const BATCH = 1024;

/** Timestamps keep their microseconds; hyparquet's own dates stop at milliseconds. */
const parsers: Partial<ParquetParsers> = {
  timestampFromMilliseconds: (ms) => new Instant(Number(ms) * 1000),
  timestampFromMicroseconds: (us) => new Instant(Number(us)),
  timestampFromNanoseconds: (ns) => new Instant(Number(ns / 1000n)),
  dateFromDays: (days) => new Instant(days * 86_400e6),
};

/**
 * A Parquet file as a table, a row group at a time.
 * @throws ReplayError where it is none or a row group is too large for bounded memory.
 */
export async function openParquet(file: string): Promise<Table> {
  const buffer = await open(file);
  if (buffer.byteLength === 0) throw new ReplayError(file, 'is empty; give a file with at least one row');
  let metadata: FileMetaData;
  let header: string[];
  try {
    metadata = await parquetMetadataAsync(buffer);
    header = parquetSchema(metadata).children.map(({ element: { name } }, i) => {
      if (typeof name !== 'string') throw new Error(`column ${i + 1} has no name`);
      return name;
    });
  } catch (error) {
    throw new ReplayError(file, `is not a Parquet file (${(error as Error).message}); check that it was written to its end`);
  }
  const largest = Math.max(0, ...metadata.row_groups.map((group) => Number(group.num_rows) * header.length));
  if (largest > MOST_VALUES) throw new ReplayError(file, `has a row group of ${largest} values; write it with row groups of at most ${MOST_VALUES} values`);
  return { header, width: header.length, place: 'row', batches: batches(file, buffer, metadata, header), close: () => Promise.resolve() };
}

async function* batches(file: string, buffer: AsyncBuffer, metadata: FileMetaData, header: readonly string[]): AsyncGenerator<TableRow[]> {
  let start = 0;
  for (const group of metadata.row_groups) {
    const end = start + Number(group.num_rows);
    const columns = new Map<string, Cell[]>(header.map((name) => [name, []]));
    const gate = gated(buffer);
    try {
      await checkPages(buffer, group);
      const reading = parquetRead({
        file: gate.file, metadata, compressors, parsers, rowStart: start, rowEnd: end,
        onChunk: ({ columnName, columnData, rowStart }) => {
          const cells = columns.get(columnName);
          if (cells === undefined) return;
          for (let i = 0; i < columnData.length; i++) cells[rowStart - start + i] = columnData[i] as Cell;
        },
      });
      await Promise.race([reading, setImmediate()]);
      gate.open();
      await reading;
    } catch (error) {
      throw new ReplayError(file, `rows ${start + 1} to ${end} can't be read (${(error as Error).message}); write the file again`);
    }
    const cells = [...columns.values()];
    for (let from = start; from < end; from += BATCH) {
      yield Array.from({ length: Math.min(BATCH, end - from) }, (_, i) => ({ at: from + i + 1, cells: cells.map((column) => column[from - start + i]) }));
    }
    start = end;
  }
}

/**
 * Follows the pages of a row group by their headers. hyparquet believes them: by sizes below nothing, or none, it reads for ever.
 * @throws Error at the first that can't be
 */
async function checkPages(buffer: AsyncBuffer, { columns }: RowGroup): Promise<void> {
  let unpacked = 0;
  for (const { meta_data: column } of columns) {
    if (column === undefined) throw new Error('a column has no description');
    const start = Number(column.dictionary_page_offset || column.data_page_offset);
    const reader = { view: new DataView(await buffer.slice(start, start + Number(column.total_compressed_size))), offset: 0 };
    while (reader.offset < reader.view.byteLength - 1) {
      const { compressed_page_size: packed, uncompressed_page_size: size, data_page_header: one, data_page_header_v2: two, dictionary_page_header: words } = parquetHeader(reader);
      const sizes = [packed, size, ...(two === undefined ? [] : [two.definition_levels_byte_length, two.repetition_levels_byte_length])];
      const values = (one ?? two ?? words)?.num_values ?? 0;
      if (!sizes.every((each) => each >= 0) || !(values >= 0 && values <= MOST_VALUES)) throw new Error(`a page of ${values} values in ${sizes.join(', ')} bytes`);
      reader.offset += packed;
      unpacked += size;
    }
  }
  if (unpacked > MOST_UNPACKED) throw new Error(`${unpacked} bytes unpacked, at most ${MOST_UNPACKED} are taken`);
}

/**
 * Reads that wait until the gate is opened. hyparquet begins to read columns while it still looks at the others: where the file's
 * own description is damaged it gives up then, and an error of a column that is being read would be nobody's, which ends the process.
 */
function gated(buffer: AsyncBuffer): { readonly file: AsyncBuffer; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return {
    file: { byteLength: buffer.byteLength, slice: (start, end) => promise.then(() => buffer.slice(start, end)) },
    open: resolve,
  };
}

async function open(file: string): Promise<AsyncBuffer> {
  try {
    if (!file.endsWith('.gz')) return await asyncBufferFromFile(file);
    const chunks: Uint8Array[] = [];
    let size = 0;
    let failure: unknown;
    for await (const chunk of readChunks(file, (error) => (failure = error))) {
      size += chunk.length;
      if (size > MOST_GZIPPED) throw new ReplayError(file, 'unpacks to more than 256 MiB; unpack it, Parquet is compressed inside');
      chunks.push(chunk);
    }
    if (failure !== undefined) throw unreadable(file, failure);
    return new Uint8Array(Buffer.concat(chunks)).buffer;
  } catch (error) {
    throw error instanceof ReplayError ? error : unreadable(file, error);
  }
}
