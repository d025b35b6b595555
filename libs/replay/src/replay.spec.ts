import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from '@jest/globals';
import { unpackFloat64, type TelemetryBlock } from '@millwright/contracts';
import { loadPlant, parsePlant } from '@millwright/plant';
import fc from 'fast-check';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { choosePlant, openReplay, ReplayError, type Replay, type RowRefusal, type SourceStep } from './index.js';

const folder = mkdtempSync(join(tmpdir(), 'replay-'));
afterAll(() => { rmSync(folder, { recursive: true }); });

let files = 0;
/** Writes a file of its own and gives its path. */
function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, `${++files}-${name}`);
  writeFileSync(path, content);
  return path;
}

const START_US = Date.UTC(2026, 0, 5, 6) * 1000;
const plant = parsePlant(
  `
name: small
enterprise: Acme
sites: { A: { areas: { B: { lines: { C: { units: { T-1: { kind: tank }, T-2: { kind: tank }, F-1: { kind: fan } } } } } } } }
kinds:
  tank:
    window: { length: 10s, hop: 10s }
    signals:
      level: { unit: m, rate: 1, range: [0, 5] }
      flow: { unit: L/s, rate: 1, range: [0, 5] }
  fan:
    window: { length: 10s, hop: 10s }
    signals:
      speed: { unit: rpm, rate: 1, range: [0, 5000], nan: reject }
replay: { asset: T-1, start: 2026-01-05T06:00:00Z, interval: 1s, ignoredColumns: [remark] }
`,
  'small/plant.yaml',
);

interface Outcome {
  readonly steps: SourceStep[];
  readonly refusals: RowRefusal[];
  readonly replay: Replay;
}

async function read(path: string): Promise<Outcome> {
  const refusals: RowRefusal[] = [];
  const replay = await openReplay(plant, path, { onRefusal: (refusal) => refusals.push(refusal) });
  const steps: SourceStep[] = [];
  for (let step = await replay.next(); step; step = await replay.next()) steps.push(step);
  expect(replay.refused).toBe(refusals.length);
  return { steps, refusals, replay };
}

/** [asset, seconds since START_US, {signal: value}] of every sample, in the order of the blocks. */
function samplesOf(steps: readonly SourceStep[]): [string, number, Record<string, number>][] {
  return steps.flatMap(({ blocks }) =>
    blocks.flatMap(({ asset, startUs, intervalUs, count, offsetsUs, signals }) => {
      const offsets = offsetsUs.length > 0 ? unpackFloat64(offsetsUs) : Float64Array.from({ length: count }, (_, i) => i * intervalUs);
      const values = signals.map(({ signal, values: packed }) => [signal, unpackFloat64(packed)] as const);
      return Array.from({ length: count }, (_, i): [string, number, Record<string, number>] => [
        asset,
        Math.round(startUs + offsets[i]! - START_US) / 1e6,
        Object.fromEntries(values.map(([signal, samples]) => [signal, samples[i]!])),
      ]);
    }),
  );
}

const EXPECTED = [
  ['T-1', 0, { level: 1.5, flow: 0.25 }],
  ['T-1', 1, { level: 1.75, flow: 0.5 }],
  ['T-1', 2, { level: -2e-3, flow: 0.75 }],
];
const ROWS = [['1.5', '0.25'], ['1.75', '0.5'], ['-2e-3', '0.75']];
const joined = (separator: string): string => ROWS.map((row) => row.join(separator)).join('\n');

describe('every format gives the same samples', () => {
  it.each([
    ['CSV', 'a.csv', joined(',')],
    ['CSV with semicolons', 'a.csv', joined(';')],
    ['CSV with semicolons and decimal commas', 'a.csv', joined(';').replaceAll('.', ',')],
    ['CSV with header', 'a.csv', `level,flow\n${joined(',')}\n`],
    ['CSV with columns in another order', 'a.csv', `flow,level\n${ROWS.map(([level, flow]) => `${flow},${level}`).join('\n')}`],
    ['CSV with Windows line ends, a byte order mark, quotes and a blank line', 'a.csv', `\uFEFF"level","flow"\r\n\r\n${ROWS.map(([level, flow]) => `"${level}",${flow}`).join('\r\n')}\r\n`],
    ['TSV', 'a.tsv', `level\tflow\n${joined('\t')}`],
    ['plain columns', 'a.dat', ROWS.map((row) => `  ${row.join('   ')}  `).join('\n')],
    ['plain columns, transposed', 'a.dat', [0, 1].map((i) => ROWS.map((row) => row[i]).join('  ')).join('\n')],
    ['ISO times', 'a.csv', `time,level,flow\n2026-01-05T06:00:00Z,1.5,0.25\n2026-01-05 06:00:01,1.75,0.5\n2026-01-05T07:00:02.000+01:00,-2e-3,0.75`],
    ['epoch seconds', 'a.csv', `timestamp,level,flow\n${ROWS.map((row, i) => [START_US / 1e6 + i, ...row].join()).join('\n')}`],
    ['epoch milliseconds', 'a.csv', `Time,level,flow\n${ROWS.map((row, i) => [START_US / 1e3 + i * 1e3, ...row].join()).join('\n')}`],
    ['epoch microseconds', 'a.csv', `datetime,level,flow\n${ROWS.map((row, i) => [START_US + i * 1e6, ...row].join()).join('\n')}`],
    ['an asset column and one to pass over', 'a.csv', `time,asset,remark,level,flow\n${ROWS.map((row, i) => [START_US / 1e6 + i, 'T-1', 'fine', ...row].join()).join('\n')}`],
  ])('%s', async (_, name, text) => {
    for (const path of [file(name, text), file(`${name}.gz`, gzipSync(text))]) {
      const { steps, refusals } = await read(path);
      expect(refusals).toEqual([]);
      expect(samplesOf(steps)).toEqual(EXPECTED);
      expect(steps.at(-1)).toMatchObject({ row: 3, advanceToUs: START_US + 3e6 });
    }
  });

  it.each([
    ['dates', ROWS.map((_, i) => new Date(START_US / 1e3 + i * 1e3)), 'TIMESTAMP'],
    ['whole numbers', ROWS.map((_, i) => BigInt(START_US + i * 1e6)), 'INT64'],
  ] as const)('Parquet with %s', async (_, times, type) => {
    const buffer = parquetWriteBuffer({
      columnData: [
        { name: 'time', data: [...times], type },
        { name: 'level', data: ROWS.map(([level]) => Number(level)), type: 'DOUBLE' },
        { name: 'flow', data: ROWS.map(([, flow]) => Number(flow)), type: 'FLOAT' },
      ],
      rowGroupSize: 2,
    });
    for (const path of [file('a.parquet', new Uint8Array(buffer)), file('a.parquet.gz', gzipSync(new Uint8Array(buffer)))]) {
      const { steps, refusals } = await read(path);
      expect(refusals).toEqual([]);
      expect(samplesOf(steps)).toEqual(EXPECTED);
    }
  });

  it('finds the .gz where the path leaves it out', async () => {
    const path = file('a.csv.gz', gzipSync(joined(',')));
    const { steps, replay } = await read(path.replace(/\.gz$/, ''));
    expect(samplesOf(steps)).toEqual(EXPECTED);
    expect(replay.name).toMatch(/^replay\/\d+-a\.csv$/);
  });

  it('any finite numbers come back bit for bit', async () => {
    const cell = fc.double({ noNaN: true, noDefaultInfinity: true });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 40 }), fc.constantFrom(',', ';', '\t'), async (rows, separator) => {
        const { steps, refusals } = await read(file('p.csv', rows.map((row) => row.join(separator)).join('\n')));
        expect(refusals).toEqual([]);
        expect(samplesOf(steps).map(([, , { level, flow }]) => [level, flow])).toEqual(rows.map((row) => row.map((x) => Number(String(x)))));
      }),
      { numRuns: 40 },
    );
  });
});

describe('blocks', () => {
  const blocksOf = (steps: readonly SourceStep[]): readonly TelemetryBlock[] => steps.flatMap(({ blocks }) => blocks);

  it('slow data goes a row at a time, fast data up to a second or 1,024 samples', async () => {
    const { steps: slow } = await read(file('a.csv', joined(',')));
    expect(slow.map(({ row }) => row)).toEqual([1, 2, 3]);
    const fast = Array.from({ length: 5000 }, (_, i) => `${START_US + i * 500},${i},0`).join('\n');
    const { steps } = await read(file('a.csv', `time,level,flow\n${fast}`));
    expect(blocksOf(steps).map(({ count }) => count)).toEqual([1024, 976, 1024, 976, 1000]);
    expect(steps.map(({ row }) => row)).toEqual([1024, 2000, 3024, 4000, 5000]);
    expect(blocksOf(steps).every(({ intervalUs, offsetsUs }) => intervalUs === 500 && offsetsUs.length === 0)).toBe(true);
  });

  it('each asset has its own sequence from 1, and only the signals of its kind', async () => {
    const text = `time,asset,level,flow,speed\n0,T-1,1,2,\n0,F-1,,,1500\n0,T-2,3,4,\n1,T-1,5,6,\n1,F-1,,,1501\n`;
    const { steps, refusals } = await read(file('a.csv', text));
    expect(refusals).toEqual([]);
    expect(blocksOf(steps).map(({ asset, sequence, signals }) => [asset, sequence, signals.map(({ signal }) => signal)])).toEqual([
      ['T-1', 1, ['level', 'flow']], ['F-1', 1, ['speed']], ['T-2', 1, ['level', 'flow']], ['T-1', 2, ['level', 'flow']], ['F-1', 2, ['speed']],
    ]);
  });

  it('uneven times are given as offsets', async () => {
    const { steps } = await read(file('a.csv', `time,level,flow\n0,1,2\n0.1,3,4\n0.7,5,6\n`));
    expect(blocksOf(steps)).toHaveLength(1);
    expect([...unpackFloat64(blocksOf(steps)[0]!.offsetsUs)]).toEqual([0, 100_000, 700_000]);
  });

  it('a row that goes back in time begins a block of its own; the source does not claim to be past a row that it is about to give', async () => {
    const { steps } = await read(file('a.csv', `time,level,flow\n0.1,1,1\n0.5,2,2\n0.3,3,3\n5,4,4\n2,5,5\n`));
    expect(samplesOf(steps).map(([, at, { level }]) => [Math.round((at + START_US / 1e6) * 10) / 10, level])).toEqual([[0.1, 1], [0.5, 2], [0.3, 3], [5, 4], [2, 5]]);
    expect(steps.map(({ advanceToUs }) => advanceToUs)).toEqual([1.5e6, 2e6, 6e6]);
  });

  it('empty cells are missing samples; a signal without any is left out of the block', async () => {
    const { steps } = await read(file('a.csv', `time,level,flow\n0,1,\n0.5,,\n0.7,NaN,\n`));
    const [block] = blocksOf(steps);
    expect(block!.signals.map(({ signal }) => signal)).toEqual(['level']);
    expect([...unpackFloat64(block!.signals[0]!.values)]).toEqual([1, NaN, NaN]);
  });

  it('the same file gives the same blocks again', async () => {
    const path = file('a.csv', joined(','));
    expect((await read(path)).steps).toEqual((await read(path)).steps);
  });
});

describe('a row with a mistake is left out in one sentence, and the good rows go on', () => {
  it.each([
    ['a text for a number', 'level,flow\n1,2\nhigh,2\n3,4\n', ':3: level: "high" is not a number; write one, or leave the cell empty where a sample is missing'],
    ['a cell too few', 'level,flow\n1,2\n2\n3,4\n', ':3: has 1 cells where there are 2 columns'],
    ['quotes that do not pair up', 'level,flow\n1,2\n"2,2\n3,4\n', ':3: has quotes that do not pair up; close them or leave them out'],
    ['a bad time', 'time,level,flow\n0,1,2\nnoon,2,2\n2,3,4\n', ':3: time: "noon" is not a time; write ISO 8601 or a number of seconds since 1970'],
    ['a day that there is not', 'time,level,flow\n0,1,2\n2026-02-30T00:00:00Z,2,2\n2,3,4\n', ':3: time: "2026-02-30T00:00:00Z" is not a time; write ISO 8601 or a number of seconds since 1970'],
    ['an unknown asset', 'time,asset,level,flow\n0,T-1,1,2\n1,T-7,2,2\n2,T-1,3,4\n', ':3: there is no asset T-7; did you mean T-1?'],
    ['a signal that its asset has not', 'time,asset,level,flow,speed\n0,T-1,1,2,\n1,T-1,2,2,9\n2,T-1,3,4,\n', ':3: speed: asset T-1 of kind tank has no such signal; leave the cell empty'],
    ['infinity', 'level,flow\n1,2\nInfinity,2\n3,4\n', ':3: level: "Infinity" is not a number; write one, or leave the cell empty where a sample is missing'],
  ])('%s', async (_, text, message) => {
    const path = file('bad.csv', text);
    const { steps, refusals } = await read(path);
    expect(refusals).toEqual([{ file: path, row: 2, message: path + message }]);
    expect(samplesOf(steps).map(([, , { level }]) => level)).toEqual([1, 3]);
  });

  it('a missing sample of a signal that takes none', async () => {
    const { refusals } = await read(file('bad.csv', 'time,asset,speed\n0,F-1,\n'));
    expect(refusals[0]!.message).toMatch(/:2: speed: the value is missing, and this signal takes no missing samples \(nan: reject\)$/);
  });

  it('keeps the time of the rows after it, where rows make the time', async () => {
    const { steps } = await read(file('bad.csv', '1,1\nx,2\n3,3\n'.replace('x', '1..2')));
    expect(samplesOf(steps).map(([, at]) => at)).toEqual([0, 2]);
  });

  it('in a transposed file it is a column', async () => {
    const path = file('bad.dat', '1 2 3 4\n5 6 x 8\n');
    const { steps, refusals } = await read(path);
    expect(refusals).toEqual([{ file: path, row: 3, message: `${path}: column 3: flow: "x" is not a number; write one, or leave the cell empty where a sample is missing` }]);
    expect(samplesOf(steps)).toEqual([['T-1', 0, { level: 1, flow: 5 }], ['T-1', 1, { level: 2, flow: 6 }], ['T-1', 3, { level: 4, flow: 8 }]]);
  });
});

describe('a file that is no use at all is refused with the remedy', () => {
  it.each([
    ['unknown column', 'a.csv', 'level,fluw\n1,2\n', ':1: column 2 "fluw" is no signal of plant small; did you mean flow? (replay.ignoredColumns in the plant file passes over columns)'],
    ['a column twice', 'a.csv', 'level,level\n1,2\n', ':1: column 2 "level" stands there twice; take one out'],
    ['another number of columns', 'a.dat', '1 2 3\n1 2 3\n4 5 6\n', ':1: has 3 columns and no header, but the plant file names 2 columns (replay.columns); add a header line with signal names or name another plant file'],
    ['a transposed file with an odd line', 'a.dat', '1 2 3 4\n1 2 3\n', ':2: has 3 values where the first line has 4; in a file of a line per signal all are equally long'],
    ['no time column beside an asset column', 'a.csv', 'asset,level\nT-1,2\n', ':1: has no time column; name it time, timestamp, datetime'],
    ['binary garbage', 'a.csv', new Uint8Array([1, 0, 2, 0, 10, 3]), ':1: holds binary data, not text; give CSV, TSV, plain columns or a file named .parquet'],
    ['nothing', 'a.csv', '\n\n', ': is empty; give a file with at least one row'],
    ['text called Parquet', 'a.parquet', 'level,flow\n1,2\n', /: is not a Parquet file \(.*\); check that it was written to its end$/],
    ['text called gzip', 'a.csv.gz', '1,2\n', /:1: the gzip data is damaged here \(incorrect header check\); copy the file again$/],
    ['an unknown format', 'a.xlsx', 'x', ': is of no known format; name it .csv, .tsv, .parquet, or .dat for plain columns (each may end in .gz)'],
  ])('%s', async (_, name, content, message) => {
    const path = file(name, content);
    const error = await read(path).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ReplayError);
    if (typeof message === 'string') expect((error as Error).message).toBe(path + message);
    else expect((error as Error).message).toMatch(message);
  });

  it('a file that is not there', async () => {
    await expect(read('/nowhere/a.csv')).rejects.toThrow(new ReplayError('/nowhere/a.csv', 'there is no such file; check the path'));
    await expect(read('/nowhere/a.parquet')).rejects.toThrow(new ReplayError('/nowhere/a.parquet', 'there is no such file; check the path'));
  });

  it('a cut-off gzip file: its whole lines go on first, a half line does not', async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `${Math.sin(i).toFixed(6)},${i}`);
    const whole = gzipSync(lines.join('\n'));
    const path = file('cut.csv.gz', whole.subarray(0, whole.length / 2));
    const replay = await openReplay(plant, path);
    const steps: SourceStep[] = [];
    const error = await (async () => { for (let step = await replay.next(); step; step = await replay.next()) steps.push(step); })().catch((reason: unknown) => reason);
    const samples = samplesOf(steps);
    expect(samples.length).toBeGreaterThan(1000);
    expect(samples.every(([, at, { level, flow }]) => at === flow && level === Number(Math.sin(at).toFixed(6)))).toBe(true);
    expect((error as Error).message).toMatch(/:\d+: the gzip data is cut off here; copy the file again \(the \d+ lines before were read\)$/);
  });

  it('can be closed before its end', async () => {
    const replay = await openReplay(plant, file('a.csv', joined(',')));
    await replay.next();
    await replay.close();
    await (await openReplay(plant, file('a.csv', joined(',')))).close();
  });
});

const tep = loadPlant(new URL('../../../plants/tep/plant.yaml', import.meta.url).pathname);

describe('choosing the plant that a file fits', () => {
  it('by header, by number of columns, or not at all', async () => {
    expect(await choosePlant(file('a.csv', `level,flow\n1,2\n`), [tep, plant])).toBe(plant);
    expect(await choosePlant(file('a.dat', Array.from({ length: 52 }, (_, i) => i).join(' ')), [tep, plant])).toBe(tep);
    expect(await choosePlant(file('a.dat', `1 2 3 4\n5 6 7 8\n`), [tep, plant])).toBe(plant);
    const path = file('a.csv', `x,y\n1,2\n`);
    await expect(choosePlant(path, [tep, plant])).rejects.toThrow(`${path}: has the columns x, y, which fit none of the plants tep, small; name the plant file`);
    await expect(choosePlant(file('a.csv', `level,flow\n1,2\n`), [plant, plant])).rejects.toThrow('which fit several plants (small, small); name the plant file');
  });
});

const DATA = process.env['MILLWRIGHT_DATA'] ?? new URL('../../../../shared/data', import.meta.url).pathname;
const tepFolder = join(DATA, 'tep');
const present = existsSync(tepFolder);
const tepFiles = present ? readdirSync(tepFolder).filter((name) => /\.dat(\.gz)?$/.test(name)) : ['(no data: set MILLWRIGHT_DATA to its folder)'];

(present ? describe : describe.skip)('the Tennessee Eastman files', () => {
  it.each(tepFiles)('%s: every row has all 52 signals inside their ranges', async (name) => {
    const path = join(tepFolder, name.replace(/\.gz$/, ''));
    expect(await choosePlant(path, [plant, tep])).toBe(tep);
    const specs = new Map(tep.kinds.get('tennessee-eastman')!.signals.map((signal) => [signal.name, signal]));
    const replay = await openReplay(tep, path);
    let rows = 0;
    for (let step = await replay.next(); step; step = await replay.next()) {
      rows++;
      const [block] = step.blocks;
      const good = block!.signals.filter(({ signal, unit, values }) => {
        const [value] = unpackFloat64(values);
        const spec = specs.get(signal)!;
        return unit === spec.unit && value! >= spec.min && value! <= spec.max;
      });
      if (good.length !== 52 || block!.sequence !== rows || step.row !== rows || block!.startUs !== tep.replay!.startUs + (rows - 1) * 180e6) throw new Error(`row ${rows}`);
    }
    expect(replay.refused).toBe(0);
    expect(rows).toBe(name.startsWith('d00.') ? 500 : name.includes('_te') ? 960 : 480);
  });
});
