import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { loadPlant } from '@millwright/plant';
import { freePorts } from '@millwright/servers';
import type { Case, Stage, Verdict } from '../case.js';
import { judge, readFrom, recordMore, undisturbed } from '../in-process.js';
import { growth } from '../memory.js';
import { recordedInput, STEP_S } from '../recorded-input.js';
import { Recording } from '../recording.js';
import { part } from '../run.js';
import { StandaloneProcess } from '../standalone-process.js';

/** Steps of the input played in a second. */
const STEPS_PER_S = 15;
/** Times that the process is ended, by turns in order and by kill -9. */
const RESTARTS = 6;
/** Bound of the embedded log, and what its write-ahead log and unused pages may add. */
const MOST_FILE_BYTES = 1.4 * 256 * 1_048_576;
const SAMPLE_MS = 1_000;
/** A process that has just started is still loading. */
const YOUNG_MS = 5_000;
/** From so many seconds on a slope of the memory is told. */
const LONG_S = 600;

export const gateway: Case = {
  name: 'gateway',
  claim: 'the whole line in one process, restarted and killed now and then, gives the output of an undisturbed run; memory stays flat and its file within its bound',
  async run(stage: Stage): Promise<Verdict> {
    const seconds = part(stage);
    const input = recordedInput(join(stage.folder, 'plant'), stage.seed);
    const count = Math.ceil(seconds * STEPS_PER_S);
    const end = input.epilogue(count);
    stage.progress(`undisturbed run of ${count * STEP_S} s of event time`);
    const expected = await undisturbed({ plant: loadPlant(input.plantPath), on: ':memory:' }, withEnd(input.steps(count), end), join(stage.folder, 'expected'));

    stage.progress(`the same at ${STEPS_PER_S * STEP_S} times the speed of the clock, with ${RESTARTS} restarts`);
    const file = join(stage.folder, 'log.sqlite');
    const [port] = (await freePorts(1)) as [number];
    const start = (): Promise<StandaloneProcess> => StandaloneProcess.start({
      plantPath: input.plantPath,
      file,
      logFile: join(stage.folder, 'standalone.log'),
      environment: { GRPC_PORT: String(port), MILLWRIGHT_SOURCE_IDLE_MS: '86400000', MILLWRIGHT_WATERMARK_MS: '200', MILLWRIGHT_CHECKPOINT_MS: '1000' },
    });
    const failures: string[] = [];
    const actual = new Recording(join(stage.folder, 'actual'));
    const read = new Map<string, number>();
    const samples: Sample[] = [];
    let mostBytes = 0;
    let restarts = 0;
    let startedMs = performance.now();
    let line: StandaloneProcess | undefined = await start();
    const publisher = line.publisher(input.source, (sentence) => failures.push(sentence));
    const sampling = setInterval(() => {
      mostBytes = Math.max(mostBytes, statSync(file).size);
      if (line !== undefined && performance.now() - startedMs > YOUNG_MS) samples.push({ life: restarts, atMs: performance.now(), mib: line.residentMiB });
    }, SAMPLE_MS);
    try {
      const restart = async (): Promise<void> => {
        const ended = line!;
        line = undefined;
        if (restarts++ % 2 === 0) await ended.kill();
        else await ended.stop();
        await readOn(file, actual, read);
        line = await start();
        startedMs = performance.now();
      };
      let restarting: Promise<void> | undefined;
      const every = Math.ceil(count / (RESTARTS + 1));
      let played = 0;
      let next = performance.now();
      for (const step of input.steps(count)) {
        await publisher.publish(step);
        if (++played % every === 0 && played < count) {
          await restarting;
          restarting = restart();
          // Looked at when the next is due, or at the end.
          restarting.catch(() => undefined);
        }
        next += 1000 / STEPS_PER_S;
        await pause(Math.max(0, next - performance.now()));
      }
      await restarting;
      await publisher.publish(end);
      await publisher.flush();
      await line.drained(end.advanceToUs);
    } finally {
      clearInterval(sampling);
      publisher.close();
      await line?.stop();
    }
    await readOn(file, actual, read);
    // In a short run what is seen is how a process warms up.
    const slope = seconds < LONG_S ? '' : `memory: ${slopeOf(samples).toFixed(1)} MiB an hour over ${samples.length} samples; `;
    stage.progress(`${slope}file: ${(mostBytes / 1_048_576).toFixed(0)} MiB at most; ${restarts} restarts`);
    failures.push(...growth(samples.map(({ mib }) => new Map([['standalone', mib]]))));
    if (mostBytes > MOST_FILE_BYTES) failures.push(`the event log grew to ${(mostBytes / 1_048_576).toFixed(0)} MiB`);
    return judge(expected, actual, { killed: restarts, failures });
  },
};

function* withEnd<T>(steps: Iterable<T>, end: T): Generator<T, void, undefined> {
  yield* steps;
  yield end;
}

/** Records what has come since the last time: retention may drop it before the end. */
function readOn(file: string, recording: Recording, read: Map<string, number>): Promise<void> {
  return readFrom(file, (log) => recordMore(log, recording, ({ topic, partition, offset }) => {
    const place = `${topic}/${partition}`;
    if (offset < (read.get(place) ?? 0)) return false;
    read.set(place, offset + 1);
    return true;
  }));
}

interface Sample {
  /** Which of the processes, one after the other. */
  readonly life: number;
  readonly atMs: number;
  readonly mib: number;
}

/** MiB an hour by least squares, of all processes together, each about its own mean. */
function slopeOf(samples: readonly Sample[]): number {
  let [products, squares] = [0, 0];
  for (const life of new Set(samples.map((each) => each.life))) {
    const own = samples.filter((each) => each.life === life);
    const meanMs = own.reduce((sum, { atMs }) => sum + atMs, 0) / own.length;
    const meanMib = own.reduce((sum, { mib }) => sum + mib, 0) / own.length;
    for (const { atMs, mib } of own) {
      products += (atMs - meanMs) * (mib - meanMib);
      squares += (atMs - meanMs) ** 2;
    }
  }
  return squares === 0 ? 0 : (products / squares) * 3_600_000;
}
