import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { COMMITTED, type GroupHandler } from '../log.js';
import { eventually, readAll, record, text, topicSpec } from '../testing/fixtures.js';
import { Database } from './database.js';
import { EmbeddedLog, openEmbeddedLog } from './embedded-log.js';

describe('the file of the embedded log', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millwright-file-'));
    path = join(folder, 'log.db');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs the crash test's child until it is at work, then for `ms` more, and kills it. */
  const killed = async (ms: number): Promise<void> => {
    const child = spawn(process.execPath, ['--no-warnings', join(import.meta.dirname, 'crash-child.js'), path], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    setTimeout(() => child.kill('SIGKILL'), ms);
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect(signal).toBe('SIGKILL');
  };

  it('survives kill -9 in the midst of transactions: outputs and offsets agree, each record once', async () => {
    const created = openEmbeddedLog(path);
    await created.createTopics([topicSpec('in.v1', 1), topicSpec('out.v1', 1)]);
    await created.close();
    for (let round = 0; round < 8; round++) {
      await killed(5 + 13 * round);
      const log = openEmbeddedLog(path);
      const [input, output] = [(await readAll(log, ['in.v1'])).map(text), (await readAll(log, ['out.v1'])).map(text)];
      const { 'in.v1': committed = 0 } = await (await log.transactor('copy', 0, ['in.v1'])).committed();
      await log.close();
      expect(input).toEqual(input.map((_, n) => `${n}`));
      expect(output).toEqual(input.slice(0, committed));
    }
  });

  it('is one process\'s alone', async () => {
    const log = openEmbeddedLog(path);
    expect(() => openEmbeddedLog(path)).toThrow(`${path} is in use by another process`);
    await log.close();
    await openEmbeddedLog(path).close();
  });

  it('that can\'t be opened is refused by name', () => {
    expect(() => openEmbeddedLog(join(folder, 'missing', 'log.db'))).toThrow('does its folder exist');
  });

  it('refuses writes when the disk is full, keeps what it has, and goes on when there is room', async () => {
    const database = new Database(path);
    const log = new EmbeddedLog(database, 1e9);
    await log.createTopics([topicSpec('a.v1', 1)]);
    await log.append([record('a.v1', 0, 'k', 'before')]);
    const pages = Number(database.sql.prepare('PRAGMA page_count').get()?.['page_count']);
    database.sql.exec(`PRAGMA max_page_count = ${pages + 4}`); // The same SQLITE_FULL as of a full disk.
    const big = { ...record('a.v1', 0, 'k', ''), value: new Uint8Array(100_000) };
    await expect(log.append([record('a.v1', 0, 'k', 'with it'), big])).rejects.toThrow(`no room left on disk for ${path}: nothing was written`);
    expect(await log.endOffsets('a.v1')).toEqual([1]);
    database.sql.exec('PRAGMA max_page_count = 1000000');
    await log.append([record('a.v1', 0, 'k', 'after')]);
    expect((await readAll(log, ['a.v1'])).map(text)).toEqual(['before', 'after']);
    await log.close();
  });

  it('stays within its bound: drops the oldest, but refuses rather than drop what a group has not read', async () => {
    const log = openEmbeddedLog(path, { maxBytes: 12_000_000 });
    await log.createTopics([topicSpec('a.v1', 1)]);
    const value = new Uint8Array(100_000);
    const write = (): Promise<void> => log.append([{ ...record('a.v1', 0, 'k', ''), value }]);
    const used = (): number => log.database.usedBytes();
    for (let n = 0; n < 300; n++) await write();
    await eventually(() => used() < 17_000_000, 'the oldest are gone');
    const [kept] = await readAll(log, ['a.v1']);
    expect(kept?.offset).toBeGreaterThan(100);

    let last = 0;
    let halted = true;
    const reader: GroupHandler = {
      assigned: () => Promise.resolve({ 'a.v1': 300 }),
      revoked: () => Promise.resolve(),
      batches: async ([batch]) => {
        const { records, nextOffset } = batch!;
        if (halted) throw new Error('not yet');
        await transactor.commit([], { 'a.v1': nextOffset });
        last = records.at(-1)?.offset ?? last;
        return COMMITTED;
      },
    };
    const transactor = await log.transactor('slow', 0, ['a.v1']);
    await transactor.commit([], { 'a.v1': 300 });
    await log.join('slow', ['a.v1'], reader);
    let refusal = '';
    for (let n = 0; n < 400 && refusal === ''; n++) await write().catch((error: Error) => (refusal = error.message));
    expect(refusal).toMatch(/has reached its bound of 12000000 bytes with records that slow still has to read: nothing was written/);
    expect(await log.healthy()).toBe(false);
    expect((await readAll(log, ['a.v1'])).some(({ offset }) => offset === 300)).toBe(true);

    halted = false;
    const [end = 0] = await log.endOffsets('a.v1');
    await eventually(() => last === end - 1, 'the group has caught up');
    for (let accepted = false; !accepted; ) await write().then(() => (accepted = true), () => undefined);
    expect(await log.healthy()).toBe(true);
    await log.close();
  });
});
