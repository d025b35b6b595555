import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from '@jest/globals';
import { millwright, temporaryFolder } from '../testing/command.js';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const evaluate = (...args: string[]) => millwright(['evaluate', '--suite', '--data', folder.path, ...args], { home: folder.path }).ended;

describe('millwright evaluate --suite', () => {
  it('says which data set is missing and leaves its figures out', async () => {
    const { code, stdout, stderr } = await evaluate('--json', '--only', 'tep', 'secom_auc');
    expect(code).toBe(0);
    expect(stdout).toBe('');
    expect(stderr).toContain('tep is not there: left out tep_accuracy_known, tep_accuracy_all, tep_detection, tep_false_alarms');
    expect(stderr).toContain('secom is not there: left out secom_auc');
  });

  it('refuses a figure that it does not know, with those it does', async () => {
    const { code, stderr } = await evaluate('--only', 'tep_beauty');
    expect(code).toBe(2);
    expect(stderr).toContain('There is no figure or data set tep_beauty: use tep, tep_accuracy_known');
  });

  it('prints one JSON line a figure, in the form of the benchmark', async () => {
    // A jump in a quiet signal, in two files: each is read, whichever way it is packed.
    mkdirSync(join(folder.path, 'skab', 'valve9'), { recursive: true });
    const lines = Array.from({ length: 800 }, (_, row) => `t;${Math.sin(row * row)};${Math.cos(3 * row * row) + (row >= 600 ? 9 : 0)};${row >= 600 ? '1.0' : '0.0'};0.0`);
    const text = ['datetime;a;b;anomaly;changepoint', ...lines].join('\n');
    writeFileSync(join(folder.path, 'skab', 'valve9', '0.csv'), text);
    writeFileSync(join(folder.path, 'skab', 'valve9', '1.csv.gz'), gzipSync(text));
    const { code, stdout, stderr } = await evaluate('--json', '--only', 'skab_f1');
    expect(code).toBe(0);
    expect(stderr).toContain('2 files');
    const figure = JSON.parse(stdout) as Record<string, unknown>;
    expect(figure).toMatchObject({ name: 'skab_f1', goal: 0.78, better: 'higher', unit: 'F1' });
    expect(Object.keys(figure)).toEqual(['name', 'value', 'goal', 'better', 'unit', 'spread']);
    expect(figure['value']).toBeGreaterThan(0.9);
  });
});
