import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TOPICS } from '@millwright/contracts';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { figures, millwright, temporaryFolder, type Ended } from './testing/command.js';
import { FAULT_1, hasFault1, noData } from './testing/data.js';
import { recordsIn } from './testing/records.js';

const DERIVED = [TOPICS.features, TOPICS.inferences, TOPICS.quality, TOPICS.alarms].map(({ name }) => name);

/** Event time on the last status line. */
const reached = ({ stderr }: Pick<Ended, 'stderr'>): number => Math.max(...[...stderr.matchAll(STATUS)].map(([, time]) => Date.parse(`${time!}Z`)));
const STATUS = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d) \| in/gm;
const FIRST_STATUS = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d) \| in/m;

let folder: ReturnType<typeof temporaryFolder>;
let home: string;

beforeEach(() => {
  folder = temporaryFolder();
  home = folder.path;
});

afterEach(() => {
  folder.remove();
});

describe('millwright run', () => {
  it('plays the demo plant to a diagnosis and an alarm, and counts', async () => {
    const ended = await millwright(['run', '--for', '10s', '--json', '--speed', '10', '--fresh'], { home }).ended;
    expect(ended.code).toBe(0);
    const summary = figures(ended);
    expect(Object.keys(summary)).toEqual(['in', 'features', 'inferences', 'findings', 'alarms', 'dlq', 'late', 'lost', 'duplicated', 'p50_ms', 'p99_ms', 'first_alarm']);
    for (const count of ['in', 'features', 'inferences', 'alarms', 'p50_ms', 'p99_ms']) expect(summary[count]).toBeGreaterThan(0);
    expect(summary).toMatchObject({ dlq: 0, late: 0, lost: 0, duplicated: 0, first_alarm: { asset: 'P-102', fault: 'outer_race', at_row: null } });
  });

  it('goes on where it was, ended by Ctrl-C or killed, and writes nothing twice', async () => {
    const args = ['run', '--json', '--speed', '20'];
    const first = millwright(args, { home });
    await first.until(FIRST_STATUS);
    first.kill('SIGINT');
    const interrupted = await first.ended;
    expect(interrupted.code).toBe(0);
    expect(figures(interrupted)).toMatchObject({ late: 0, lost: 0, duplicated: 0 });

    const second = millwright(args, { home });
    const [, time] = await second.until(FIRST_STATUS);
    expect(Date.parse(`${time!}Z`)).toBeGreaterThan(reached(interrupted));
    second.kill('SIGKILL');
    const killed = await second.ended;
    expect(killed.signal).toBe('SIGKILL');

    const third = await millwright([...args, '--for', '3s'], { home }).ended;
    expect(third.code).toBe(0);
    expect(third.stderr).not.toContain('afresh');
    expect(figures(third)).toMatchObject({ dlq: 0, late: 0, lost: 0, duplicated: 0 });
    expect(reached(third)).toBeGreaterThan(reached(killed));

    // Over all three runs: what each processor numbered is there once, and none is missing.
    const sequences = new Map<string, number[]>();
    for (const { topic, partition, headers } of await recordsIn(join(home, 'standalone-demo', 'log.sqlite'), DERIVED)) {
      const id = `${topic}/${partition} ${headers.source}`;
      sequences.set(id, [...(sequences.get(id) ?? []), headers.sequence]);
    }
    expect(sequences.size).toBeGreaterThan(2);
    for (const numbers of sequences.values()) expect(numbers).toEqual(numbers.map((_, i) => i + 1));
  });

  it('starts afresh, and says so, where the snapshot of the simulated plant is damaged', async () => {
    const args = ['run', '--json', '--speed', '20', '--for', '1s'];
    expect((await millwright(args, { home }).ended).code).toBe(0);
    const file = join(home, 'standalone-demo', 'source.snapshot');
    writeFileSync(file, readFileSync(file).subarray(0, 100));
    const ended = await millwright(args, { home }).ended;
    expect(ended.stderr).toContain(`The simulated plant starts afresh, for it can't go on from ${file}: it is no snapshot`);
    expect(figures(ended)).toMatchObject({ lost: 0, duplicated: 0 });
    expect(ended.code).toBe(0);
  });

  it('refuses a folder that another run is using, and harms nothing there', async () => {
    const first = millwright(['run', '--json'], { home });
    await first.until(FIRST_STATUS);
    for (const args of [['run'], ['run', '--fresh']]) {
      const second = await millwright(args, { home }).ended;
      expect(second).toMatchObject({ code: 2, stdout: '' });
      expect(second.stderr).toMatch(/^\S+log\.sqlite is in use by another process: [^\n]+\n$/);
    }
    first.kill('SIGTERM');
    const ended = await first.ended;
    expect(ended.code).toBe(0);
    expect(figures(ended)).toMatchObject({ lost: 0, duplicated: 0 });
  });

  (hasFault1 ? it : it.skip)(`finds fault 1 of the Tennessee Eastman process soon after row 160, the same to the byte each time${noData}`, async () => {
    const digests: Map<string, string>[] = [];
    for (const run of ['first', 'second']) {
      const ended = await millwright(['run', '--replay', FAULT_1, '--speed', 'max', '--json'], { home: join(home, run) }).ended;
      expect(ended.code).toBe(0);
      const summary = figures(ended) as { first_alarm: { at_row: number } };
      expect(summary).toMatchObject({ in: 960, dlq: 0, late: 0, lost: 0, duplicated: 0, first_alarm: { asset: 'TEP', fault: 1 } });
      expect(summary.first_alarm.at_row).toBeGreaterThan(160);
      expect(summary.first_alarm.at_row).toBeLessThan(200);
      digests.push(digestByKey(await recordsIn(join(home, run, 'replay-tep', 'log.sqlite'), DERIVED)));
    }
    expect(new Set([...digests[0]!.keys()].map((id) => id.split(' ')[0]))).toEqual(new Set(DERIVED));
    expect(digests[1]).toEqual(digests[0]);
  });
});

/** SHA-256 of the values of each key of each topic, in order. */
function digestByKey(records: Awaited<ReturnType<typeof recordsIn>>): Map<string, string> {
  const hashes = new Map<string, ReturnType<typeof createHash>>();
  for (const { topic, key, value } of records) {
    const id = `${topic} ${key}`;
    const hash = hashes.get(id) ?? createHash('sha256');
    hashes.set(id, hash.update(`${value.length} `).update(value));
  }
  return new Map([...hashes].map(([id, hash]) => [id, hash.digest('hex')]));
}
