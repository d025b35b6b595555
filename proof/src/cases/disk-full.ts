import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { loadPlant } from '@millwright/plant';
import type { EmbeddedLog } from '@millwright/streams';
import type { Case, Stage, Verdict } from '../case.js';
import { InProcessLine, judge, undisturbed } from '../in-process.js';
import { recordedInput } from '../recorded-input.js';

const STEPS = 15;
/** Steps at which there is no more room. */
const FULL_AT = [3, 7, 11];
/** How long there is none. */
const FULL_MS = 2_000;
const DISK_BYTES = 96 * 1024 * 1024;
const SENTENCE = /^no room left on disk for \S+: nothing was written; free some space and it goes on by itself$/;

/** Takes all room, and gives it back. */
interface Disk {
  readonly folder: string;
  fill(line: InProcessLine): void;
  free(line: InProcessLine): void;
  close(): void;
}

export const diskFull: Case = {
  name: 'disk-full',
  claim: 'On a full disk the embedded log refuses with a sentence, sources and processors wait, and all goes on when there is room.',
  async run(stage: Stage): Promise<Verdict> {
    const input = recordedInput(join(stage.folder, 'plant'), stage.seed);
    const plant = loadPlant(input.plantPath);
    const steps = [...input.steps(STEPS), input.epilogue(STEPS)];
    stage.progress('undisturbed run');
    const expected = await undisturbed({ plant, on: ':memory:' }, steps, join(stage.folder, 'expected'));
    const disk = openDisk(stage);
    const failures: string[] = [];
    const stalls = new Set<string>();
    let recoveryMs = 0;
    const line = await InProcessLine.start({ plant, on: join(disk.folder, 'log.sqlite'), environment: { MILLWRIGHT_CHECKPOINT_MS: '200' } });
    try {
      for (const [i, step] of steps.entries()) {
        if (!FULL_AT.includes(i)) {
          await line.give(step);
          continue;
        }
        disk.fill(line);
        stage.progress(`no room left at step ${i}`);
        let reason: string | undefined;
        let freedMs = Infinity;
        const freed = pause(FULL_MS).then(() => {
          disk.free(line);
          freedMs = performance.now();
        });
        await line.give(step, (why) => {
          reason ??= why;
          for (const stall of line.stalls) stalls.add(stall);
        });
        recoveryMs = Math.max(recoveryMs, performance.now() - freedMs);
        await freed;
        if (reason === undefined) failures.push(`the log took data at step ${i} though there was no room`);
        else if (!SENTENCE.test(reason)) failures.push(`the refusal does not say what to do: ${reason}`);
      }
      await line.drained();
      const unclear = [...stalls].find((stall) => !stall.includes('could not commit: no room left on disk'));
      if (unclear !== undefined) failures.push(`a processor that waits does not say why: ${unclear}`);
      if (line.unaccounted > 0) failures.push(`${line.unaccounted} records are not accounted for by the ledger`);
      return judge(expected, await line.results(join(stage.folder, 'actual')), { killed: FULL_AT.length, recovery_s: Math.max(0, recoveryMs) / 1000, failures });
    } finally {
      await line.close();
      disk.close();
    }
  },
};

function openDisk(stage: Stage): Disk {
  const folder = join(stage.folder, 'disk');
  mkdirSync(folder, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    stage.progress('no file system can be mounted here (not root): SQLite is told to use no more pages, which it takes for a full disk');
    return bounded(folder);
  }
  const ballast = join(folder, 'ballast');
  return {
    folder,
    fill() {
      const { bavail, bsize } = statfsSync(folder);
      writeFileSync(ballast, new Uint8Array(bavail * bsize));
    },
    free: () => rmSync(ballast),
    close: () => execFileSync('umount', [folder]),
  };
}

/** The same error as of a full disk, without one. */
function bounded(folder: string): Disk {
  const limit = (line: InProcessLine, pages: number): void => (line.log as EmbeddedLog).database.sql.exec(`PRAGMA max_page_count = ${pages}`);
  return { folder, fill: (line) => limit(line, 1), free: (line) => limit(line, 1e9), close: () => undefined };
}
