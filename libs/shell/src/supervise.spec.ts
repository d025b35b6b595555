import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';

const index = new URL('./index.js', import.meta.url).href;
const observability = import.meta.resolve('@millwright/observability');

/** A process under supervision; `stop` is the body of its stop function. Says "up" when it runs. */
async function supervised(stop: string, then = '') {
  const script = `
    import { superviseProcess } from ${JSON.stringify(index)};
    import { createLogger } from ${JSON.stringify(observability)};
    superviseProcess(createLogger({ service: 'test', level: 'silent' }), async () => { console.log('stopping'); ${stop} });
    setInterval(() => {}, 1000);
    console.log('up');
    ${then}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const said = async (text: string) => {
    while (!output.includes(text)) await once(child.stdout, 'data');
  };
  await said('up');
  return { child, said, exited: once(child, 'exit') as Promise<[number | null]> };
}

describe('superviseProcess', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('stops in order on %s and exits 0', async (signal) => {
    const { child, exited } = await supervised('await new Promise((done) => setTimeout(done, 10))');
    child.kill(signal);
    expect((await exited)[0]).toBe(0);
  });

  it('exits at once on a second signal', async () => {
    const { child, said, exited } = await supervised('await new Promise(() => {})');
    child.kill('SIGTERM');
    await said('stopping');
    child.kill('SIGINT');
    expect((await exited)[0]).toBe(130);
  });

  it.each([
    ['an exception', "setTimeout(() => { throw new Error('x') })"],
    ['a rejection', "void Promise.reject(new Error('x'))"],
  ])('stops in order on %s that nothing caught and exits 1', async (_what, then) => {
    const { said, exited } = await supervised('', then);
    await said('stopping');
    expect((await exited)[0]).toBe(1);
  });

  it('exits 1 when stopping fails', async () => {
    const { child, exited } = await supervised("throw new Error('x')");
    child.kill('SIGTERM');
    expect((await exited)[0]).toBe(1);
  });
});
