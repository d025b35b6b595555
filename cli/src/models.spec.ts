import { afterAll, describe, expect, it } from '@jest/globals';
import { millwright, temporaryFolder } from './testing/command.js';

const home = temporaryFolder();
afterAll(() => home.remove());

describe('millwright models bench', () => {
  const bench = (...args: string[]) => millwright(['models', 'bench', '--plant', 'tep', '--for', '20ms', ...args], { home: home.path }).ended;

  it('tells device and windows a second of each batch size', async () => {
    const { code, stdout } = await bench('--batch', '1,40', '--json');
    expect(code).toBe(0);
    const lines = stdout.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map(({ model, engine, batch }) => [model, engine, batch])).toEqual([['tep-diagnosis', 'onnx', 1], ['tep-diagnosis', 'onnx', 40]]);
    for (const { device, windowsPerSecond } of lines) {
      expect(typeof device).toBe('string');
      expect(windowsPerSecond).toBeGreaterThan(0);
    }
    expect((await bench('--batch', '1')).stdout).toMatch(/^model +version +engine +device +workers +batch +windows\/s +median ms\ntep-diagnosis .*\n$/);
  });

  it('refuses batch sizes that are none', async () => {
    expect(await bench('--batch', '1,x')).toMatchObject({ code: 2, stderr: expect.stringContaining('whole number') });
  });
});
