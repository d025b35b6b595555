import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { MissingServerError, startKafka, startRedis } from './index.js';
import { isListening } from './ports.js';

const portOf = (address: string): number => Number(address.split(':').at(-1));

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe('a Kafka started here', () => {
  it('listens, comes back on the same port and data after kill -9, and leaves nothing behind', async () => {
    const kafka = await startKafka();
    const [address] = kafka.brokers as [string];
    const pid = kafka.pid;
    expect(await isListening(portOf(address))).toBe(true);
    await kafka.kill('SIGKILL');
    expect(await isListening(portOf(address))).toBe(false);
    await kafka.restart();
    expect(kafka.brokers).toEqual([address]);
    expect(kafka.pid).not.toBe(pid);
    expect(await isListening(portOf(address))).toBe(true);
    await kafka.stop();
    expect(await isListening(portOf(address))).toBe(false);
    expect(existsSync(dirname(kafka.logFile))).toBe(false);
  });

  it('keeps a folder that it was given', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'millwright-test-'));
    const kafka = await startKafka({ folder });
    await kafka.stop();
    expect(existsSync(join(folder, 'data'))).toBe(true);
    rmSync(folder, { recursive: true });
  });

  it('is refused in one sentence where JAVA_HOME is wrong', async () => {
    const before = process.env['JAVA_HOME'];
    process.env['JAVA_HOME'] = '/nowhere';
    try {
      await expect(startKafka()).rejects.toThrow(new MissingServerError('JAVA_HOME is /nowhere, where there is no bin/java: set it to a Java 17 or newer, or unset it.'));
    } finally {
      if (before === undefined) delete process.env['JAVA_HOME'];
      else process.env['JAVA_HOME'] = before;
    }
  });

  it('is refused on a port that is in use', async () => {
    const redis = await startRedis();
    await expect(startKafka({ port: portOf(redis.url) })).rejects.toThrow(`port ${portOf(redis.url)}, which is in use`);
    await redis.stop();
  });
});

describe('a Redis started here', () => {
  it('dies with its parent, also when that is killed, and its temporary folder goes with it', async () => {
    const script = `import { startRedis } from '${join(import.meta.dirname, 'index.js')}';
      const redis = await startRedis(); console.log(redis.url, redis.logFile); setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const [url, logFile] = line.toString().trim().split(' ') as [string, string];
    expect(await isListening(portOf(url))).toBe(true);
    parent.kill('SIGKILL');
    await until(async () => !(await isListening(portOf(url))) && !existsSync(dirname(logFile)));
  });

  it('comes back after kill -9', async () => {
    const redis = await startRedis();
    const port = portOf(redis.url);
    await redis.kill('SIGKILL');
    expect(await isListening(port)).toBe(false);
    await redis.restart();
    expect(await isListening(port)).toBe(true);
    await redis.stop();
    expect(await isListening(port)).toBe(false);
  });
});
