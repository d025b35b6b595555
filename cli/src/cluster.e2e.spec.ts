import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { figures, millwright, temporaryFolder } from './testing/command.js';
import { FAULT_1, hasFault1, noData } from './testing/data.js';

let folder: ReturnType<typeof temporaryFolder>;
let home: string;

beforeEach(() => {
  folder = temporaryFolder();
  home = folder.path;
});

afterEach(() => {
  folder.remove();
});

describe('millwright cluster', () => {
  (hasFault1 ? it : it.skip)(`finds in five processes on Kafka and Redis what one process finds on its embedded log${noData}`, async () => {
    const args = ['--replay', FAULT_1, '--speed', 'max', '--json'];
    const embedded = await millwright(['run', ...args], { home }).ended;
    const cluster = await millwright(['cluster', ...args], { home }).ended;
    expect(cluster.code).toBe(0);
    const same = ({ in: taken, features, inferences, findings, alarms, dlq, late, lost, duplicated, first_alarm }: Record<string, unknown>) =>
      ({ in: taken, features, inferences, findings, alarms, dlq, late, lost, duplicated, first_alarm });
    expect(same(figures(cluster))).toEqual(same(figures(embedded)));
    // Each service ended in order.
    const logs = readdirSync(join(home, 'cluster')).filter((name) => name.endsWith('-1.log'));
    expect(logs).toHaveLength(5);
    for (const name of logs) expect(readFileSync(join(home, 'cluster', name), 'utf8').trimEnd().split('\n').at(-1)).toContain('"message":"stopped"');
  }, 180_000);

  it('plays the demo plant, production records of its stations included, with nothing late', async () => {
    const ended = await millwright(['cluster', '--for', '6s', '--speed', '10', '--json'], { home }).ended;
    expect(ended.code).toBe(0);
    expect(figures(ended)).toMatchObject({ dlq: 0, late: 0, lost: 0, duplicated: 0, first_alarm: { asset: 'P-102', fault: 'outer_race' } });
  }, 180_000);

  it('says what is missing where it can start no Kafka or Redis, and which named one does not answer', async () => {
    const nothing = await millwright(['cluster'], { home, env: { PATH: home, JAVA_HOME: undefined } }).ended;
    expect(nothing).toMatchObject({ code: 2, stdout: '' });
    expect(nothing.stderr).toMatch(/^Kafka needs Java 17 or newer, and there is none on the PATH: install it [^\n]+\n$/);
    const away = await millwright(['cluster'], { home, env: { KAFKA_BROKERS: '127.0.0.1:1' } }).ended;
    expect(away).toMatchObject({ code: 2, stdout: '' });
    expect(away.stderr).toMatch(/^KAFKA_BROKERS names 127\.0\.0\.1:1, where nothing answers: [^\n]+\n$/);
  });
});
