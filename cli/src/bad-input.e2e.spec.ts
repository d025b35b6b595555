import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from '@jest/globals';
import { loadPlant } from '@millwright/plant';
import { ROOT } from './home.js';
import { figures, millwright, start, temporaryFolder, type Ended } from './testing/command.js';

const folder = temporaryFolder();
const home = join(folder.path, 'home');
const plant = join(ROOT, 'plants', 'tep');
const MANIFEST = 'models/tep-diagnosis/manifest.json';
const MODEL = 'models/tep-diagnosis/model.onnx';
const BASELINE = 'baselines/tep-normal.json';

const signals = loadPlant(join(plant, 'plant.yaml')).kinds.get('tennessee-eastman')!.signals;
const header = signals.map(({ name }) => name).join(',');
const middle = signals.map(({ min, max }) => String((min + max) / 2));
const ROWS = 30;
/** A file of the plant, every row in the middle of all ranges; `row` may change some. */
const csv = (row: (cells: string[], n: number) => readonly string[] = (cells) => cells): string =>
  [header, ...Array.from({ length: ROWS }, (_, i) => row([...middle], i + 1).join(','))].join('\n') + '\n';
/** Bytes of no format, the same each time. */
const garbage = Uint8Array.from({ length: 5_000 }, (_, i) => (i * i * 31 + i * 7) % 256);

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder.path, name);
  writeFileSync(path, content);
  return path;
}

const run = (...args: string[]): Promise<Ended> => millwright(['run', '--speed', 'max', '--json', ...args], { home }).ended;

/** Exit code 2, nothing on standard output, and on standard error just these lines. */
function expectRefusal(ended: Ended, ...lines: (string | RegExp)[]): void {
  expect({ ...ended, stderr: ended.stderr.trimEnd().split('\n') }).toEqual({
    code: 2,
    signal: null,
    stdout: '',
    stderr: lines.map((line) => (typeof line === 'string' ? line : expect.stringMatching(line))),
  });
}

const startingWith = (text: string): RegExp => new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`);

afterAll(() => {
  folder.remove();
});

describe('the command line', () => {
  it('refuses values and commands that it does not know', async () => {
    const end = '(--help after the command says more)';
    const [speed, duration, command] = await Promise.all([['run', '--speed', 'fast'], ['run', '--for', 'banana'], ['frobnicate']].map((args) => millwright(args, { home }).ended));
    expectRefusal(speed!, "error: option '--speed <speed>' argument 'fast' is invalid. give a number above 0, for example 10, or max.", end);
    expectRefusal(duration!, "error: option '--for <duration>' argument 'banana' is invalid. give a number with ms, s, min or h, for example 60s.", end);
    expectRefusal(command!, "error: unknown command 'frobnicate'", end);
  });

  it('tells every variable that is wrong at once, of a service too', async () => {
    const env = { MILLWRIGHT_PLANT: '', LOG_LEVEL: 'loud', GRPC_PORT: '99999', KAFKA_BROKERS: 'nowhere', REDIS_URL: 'http://redis', INFERENCE_WORKERS: 'zero' };
    const sentences = ['GRPC_PORT is "99999": give a whole number from 0 to 65535.', 'LOG_LEVEL is "loud": give one of trace, debug, info, warn, error, fatal, silent.'];
    const workers = 'INFERENCE_WORKERS is "zero": give a whole number from 1 to 999.';
    expectRefusal(await millwright(['run'], { home, env }).ended, ...sentences, workers);
    expectRefusal(
      await start('services/inference/dist/main.js', [], { home, env }).ended,
      'MILLWRIGHT_PLANT is not set: give the path of a plant.yaml.',
      ...sentences,
      'KAFKA_BROKERS is "nowhere": give the brokers as host:port, separated by commas.',
      'REDIS_URL is "http://redis": give an address like redis://host:6379.',
      workers,
    );
  });

  it('refuses a home that can hold nothing', async () => {
    const ended = await millwright(['run'], { home: file('a-file', '') }).ended;
    expectRefusal(ended, /^The folder \S+standalone-demo can't be made \(.+\): set MILLWRIGHT_HOME to a folder that may be written to\.$/);
  });
});

describe('a plant file', () => {
  it('that is not there', async () => {
    expectRefusal(await run('--plant', 'nowhere'), 'There is no plant file nowhere: give the path of a plant.yaml, or one of the shipped plants (demo, tep).');
  });

  it('gets all its mistakes told at once, each with its line', async () => {
    const text = readFileSync(join(plant, 'plant.yaml'), 'utf8');
    const lines = text.split('\n');
    const change = (from: RegExp, to: string): number => {
      const at = lines.findIndex((line) => from.test(line));
      lines[at] = lines[at]!.replace(from, to);
      return at + 1;
    };
    const unit = change(/kind: tennessee-eastman/, 'kind: tennesee-eastman');
    const window = change(/length: \w+/, 'length: 1fortnight');
    const signal = change(/XMEAS2: \{/, 'XMEAS2: { colour: red,');
    const path = file('wrong.yaml', lines.join('\n'));
    expectRefusal(
      await run('--plant', path),
      new RegExp(`^${path}:${unit}: sites\\..+\\.kind: there is no kind tennesee-eastman; did you mean tennessee-eastman\\?$`),
      new RegExp(`^${path}:${window}: kinds\\.tennessee-eastman\\.window.*: .*"?1fortnight.*; .+$`),
      new RegExp(`^${path}:${signal}: kinds\\.tennessee-eastman\\.signals\\.XMEAS2\\.colour: unknown key; known are .+$`),
    );
  });

  it('without a simulation can only be fed', async () => {
    expectRefusal(await run('--plant', plant), 'plant tep has no simulation section; add one, or replay a file');
  });
});

describe('a file to replay', () => {
  it('that can not be read is refused with the place and the remedy', async () => {
    const cases: readonly (readonly [name: string, content: string | Uint8Array, sentence: string])[] = [
      ['unknown.csv', csv().replace('XMEAS41', 'XMEAS99'), ':1: column 41 "XMEAS99" is no signal of plant tep; '],
      ['binary.csv', garbage, ':1: holds binary data, not text; give CSV, TSV, plain columns or a file named .parquet'],
      ['binary.dat', garbage, ':1: holds binary data, not text; give CSV, TSV, plain columns or a file named .parquet'],
      ['binary.parquet', garbage, ': is not a Parquet file (parquet file invalid (footer != PAR1)); check that it was written to its end'],
      ['binary.csv.gz', garbage, ':1: the gzip data is damaged here (incorrect header check); copy the file again'],
      ['empty.csv', '', ': is empty; give a file with at least one row'],
      ['empty.parquet', '', ': is empty; give a file with at least one row'],
      ['notes.doc', 'Dear Sir', ': is of no known format; '],
    ];
    const ends = await Promise.all(cases.map(([name, content]) => run('--plant', plant, '--replay', file(name, content))));
    for (const [i, [name, , sentence]] of cases.entries()) expectRefusal(ends[i]!, startingWith(`${join(folder.path, name)}${sentence}`));
  });

  it('that is not there is refused', async () => {
    expectRefusal(await run('--replay', 'nowhere.csv'), 'nowhere.csv: there is no such file; check the path');
  });

  it('keeps its good rows where others are ragged, or hold text or NaN', async () => {
    const path = file(
      'ragged.csv',
      csv((cells, n) => {
        if (n === 5) return cells.slice(1);
        if (n === 7) return [...cells, '1'];
        if (n === 9) cells[2] = 'hello';
        if (n === 11) cells[3] = 'NaN';
        return cells;
      }),
    );
    const ended = await run('--plant', plant, '--replay', path);
    expect(ended.code).toBe(0);
    expect(ended.stderr.slice(ended.stderr.indexOf('Left out'))).toBe(
      `Left out: 3 rows. The first:
  ${path}:6: has 51 cells where there are 52 columns
  ${path}:8: has 53 cells where there are 52 columns
  ${path}:10: XMEAS3: "hello" is not a number; write one, or leave the cell empty where a sample is missing
`,
    );
    expect(figures(ended)).toMatchObject({ in: ROWS - 3, dlq: 0, late: 0, lost: 0, duplicated: 0 });
  });

  it('that breaks off is played to there, then refused', async () => {
    const whole = gzipSync(csv((cells, n) => cells.map((cell, i) => String(Number(cell) + (((n * 7919 + i * 104_729) % 1000) - 500) / 1e5))));
    const path = file('cut.csv.gz', whole.subarray(0, Math.floor(whole.length * 0.8)));
    const ended = await run('--plant', plant, '--replay', path);
    const [, line, before] = /^\S+cut\.csv\.gz:(\d+): the gzip data is cut off here; copy the file again \(the (\d+) lines before were read\)$/m.exec(ended.stderr)!;
    expect(Number(before)).toBeGreaterThan(5);
    expect(line).toBe(String(Number(before) + 1));
    // The header is one of the lines.
    expect(figures(ended)).toMatchObject({ in: Number(before) - 1, lost: 0, duplicated: 0 });
    expect(ended.code).toBe(2);
  });
});

describe('what the plant file names', () => {
  it('is refused where it is damaged, of another form or not there', async () => {
    const cases: readonly (readonly [damage: (plant: string) => void, sentence: RegExp])[] = [
      [
        (plant) => {
          const path = join(plant, MODEL);
          const bytes = readFileSync(path);
          bytes[bytes.length >> 1]! ^= 1;
          writeFileSync(path, bytes);
        },
        /^\S+manifest\.json, field sha256: \S+model\.onnx has [0-9a-f]{64}, not [0-9a-f]{64}: it was changed or only partly copied; copy the whole package again, or rebuild it .+$/,
      ],
      [
        (plant) => { writeFileSync(join(plant, MANIFEST), readFileSync(join(plant, MANIFEST), 'utf8').replace('"batch": 32', '"batch": "many"')); },
        /^\S+manifest\.json, field batch: .*expected number.*; correct it, or rebuild the package with the command in its field training\.command\.$/,
      ],
      [(plant) => { writeFileSync(join(plant, MANIFEST), readFileSync(join(plant, MANIFEST)).subarray(0, 500)); }, /^\S+manifest\.json: not JSON \(.+\); .+$/],
      [(plant) => { rmSync(join(plant, 'models'), { recursive: true }); }, /^\S+manifest\.json: can't be read \(ENOENT\); put the whole package there, .+$/],
      [
        (plant) => { rmSync(join(plant, BASELINE)); },
        /^\S+tep-normal\.json: can't be read \(.+\): make it with `millwright quality baseline`, or take monitor out of kind tennessee-eastman in the plant file$/,
      ],
      [(plant) => { writeFileSync(join(plant, BASELINE), '{}'); }, /^\S+tep-normal\.json: format: .+: make it again with `millwright quality baseline`$/],
    ];
    const good = file('good.csv', csv());
    const ends = await Promise.all(
      cases.map(([damage], i) => {
        const damaged = join(folder.path, `tep-${i}`);
        cpSync(plant, damaged, { recursive: true });
        damage(damaged);
        // Homes of their own, for they run at the same time.
        return millwright(['run', '--plant', damaged, '--replay', good], { home: join(folder.path, `home-${i}`) }).ended;
      }),
    );
    for (const [i, [, sentence]] of cases.entries()) expectRefusal(ends[i]!, sentence);
  });
});
