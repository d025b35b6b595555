import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import { loadPlant } from '@millwright/plant';
import type { Case, Stage, Verdict } from '../case.js';
import { judge, readFrom, recorded, undisturbed } from '../in-process.js';
import { recordedInput } from '../recorded-input.js';
import { StandaloneProcess } from '../standalone-process.js';

const STEPS = 100;
const STEP_MS = 150;
const JUMP_MS = 700;

export const clock: Case = {
  name: 'clock',
  claim: 'A clock that jumps an hour ahead and back changes nothing: no source is taken for silent, no session ends, the output is the same.',
  async run(stage: Stage): Promise<Verdict> {
    const input = recordedInput(join(stage.folder, 'plant'), stage.seed);
    const steps = [...input.steps(STEPS), input.epilogue(STEPS)];
    stage.progress('undisturbed run');
    const expected = await undisturbed({ plant: loadPlant(input.plantPath), on: ':memory:' }, steps, join(stage.folder, 'expected'));

    stage.progress(`the same with a clock that is set every ${JUMP_MS} ms`);
    const failures: string[] = [];
    const file = join(stage.folder, 'log.sqlite');
    const line = await StandaloneProcess.start({
      plantPath: input.plantPath,
      file,
      logFile: join(stage.folder, 'standalone.log'),
      environment: { NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, '../clock-jumps.js')).href}`, MILLWRIGHT_PROOF_JUMP_MS: String(JUMP_MS), MILLWRIGHT_WATERMARK_MS: '200' },
    });
    const publisher = line.publisher(input.source, (sentence) => failures.push(sentence));
    let jumps = 0;
    try {
      const began = performance.now();
      for (const step of steps) {
        await publisher.publish(step);
        await pause(STEP_MS);
      }
      await publisher.flush();
      jumps = Math.floor((performance.now() - began) / JUMP_MS);
      await line.drained(steps.at(-1)!.advanceToUs);
    } finally {
      publisher.close();
      await line.stop();
    }
    return judge(expected, await readFrom(file, (log) => recorded(log, join(stage.folder, 'actual'))), { killed: jumps, failures });
  },
};
