import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { parsePlant } from '@millwright/plant';
import fc from 'fast-check';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { openReplay, ReplayError } from './index.js';

const path = join(import.meta.dirname, '../../../plants/demo/plant.yaml');
const plant = parsePlant(readFileSync(path, 'utf8'), path);
const folder = mkdtempSync(join(tmpdir(), 'millwright-mutated-'));
afterAll(() => rmSync(folder, { recursive: true }));

const times = Array.from({ length: 20 }, (_, i) => new Date(1_767_592_800_000 + 500 * i));
const FILES: Readonly<Record<string, Uint8Array>> = {
  'a.csv': Buffer.from(['time,asset,level,feed_flow', ...times.map((time, i) => `${time.toISOString()},T-201,${1 + i / 10},${i % 4 === 0 ? '' : 1.5}`)].join('\n')),
  'a.tsv': Buffer.from(['time\tasset\tlevel', ...times.map((time, i) => `${time.toISOString()}\tT-202\t${1 + i / 10}`)].join('\n')),
  'a.parquet': new Uint8Array(parquetWriteBuffer({ columnData: [{ name: 'time', data: times, type: 'TIMESTAMP' }, { name: 'asset', data: times.map(() => 'T-201'), type: 'STRING' }, { name: 'level', data: times.map((_, i) => i / 10), type: 'DOUBLE' }] })),
};
const edit = fc.record({ at: fc.nat(1_000), drop: fc.nat(20), put: fc.uint8Array({ maxLength: 6 }) });

describe('a file with things changed', () => {
  it.each(Object.keys(FILES))('is played, row by row as far as it is good, or refused with its name: %s', async (name) => {
    const file = join(folder, name);
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
        let bytes = Buffer.from(FILES[name]!);
        for (const { at, drop, put } of edits) {
          const from = at % bytes.length;
          bytes = Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(from + drop)]);
          if (bytes.length === 0) bytes = Buffer.from('x');
        }
        writeFileSync(file, bytes);
        const said: string[] = [];
        try {
          const replay = await openReplay(plant, file, { onRefusal: ({ message }) => said.push(message) });
          try {
            while ((await replay.next()) !== undefined);
          } finally {
            await replay.close();
          }
        } catch (error) {
          expect(error).toBeInstanceOf(ReplayError);
          said.push((error as Error).message);
        }
        for (const sentence of said) expect(sentence).toMatch(/^\S+\/a\.\w+[:,] ?[^\n]+$/);
      }),
      { numRuns: 60 },
    );
  });
});
