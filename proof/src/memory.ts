import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Disturbance } from './disturbance.js';
import { goesOn } from './goes-on.js';
import type { Line } from './line.js';

const run = promisify(execFile);
const EVERY_MS = 1_000;
/** A process may take so much more than what it is compared with, MiB: what a garbage collector leaves lying about. */
export const SLACK_MIB = 96;

/** Resident memory of the processes of a line, MiB, by `<service> <instance>`. */
export async function residentMiB(line: Line): Promise<Map<string, number>> {
  const names = new Map(line.members.map(({ process }) => [process.pid, process.title]));
  const { stdout } = await run('ps', ['-o', 'pid=,rss=', '-p', [...names.keys()].join(',')]);
  const found = new Map<string, number>();
  for (const row of stdout.trim().split('\n')) {
    const [pid, kib] = row.trim().split(/\s+/).map(Number) as [number, number];
    const name = names.get(pid);
    if (name !== undefined) found.set(name, kib / 1024);
  }
  return found;
}

/** The most that any process of a service takes until `end` aborts, MiB, by service. */
export function mostMiB(line: Line, end: AbortSignal): Promise<ReadonlyMap<string, number>> {
  return watched(line, end, (samples) => {
    const most = new Map<string, number>();
    for (const sample of samples) {
      for (const { service, process } of line.members) most.set(service, Math.max(sample.get(process.title) ?? 0, most.get(service) ?? 0));
    }
    return most;
  });
}

/** Adds to a disturbance that no process takes more memory in the last quarter of the time than in the second. */
export function withoutGrowth(disturb: Disturbance): Disturbance {
  return async (scene) => {
    const grown = watched(scene.line, scene.end, growth);
    const killed = await disturb(scene);
    scene.failures.push(...(await grown));
    return killed;
  };
}

/** What the samples that are taken until `end` aborts tell. */
function watched<T>(line: Line, end: AbortSignal, told: (samples: readonly Map<string, number>[]) => T): Promise<T> {
  const watching = (async () => {
    const samples: Map<string, number>[] = [];
    do samples.push(await residentMiB(line));
    while (await goesOn(EVERY_MS, end));
    return told(samples);
  })();
  // Of a failure here it is to be heard only where nothing else fails first.
  watching.catch(() => undefined);
  return watching;
}

/** A sentence for each process whose memory grew from the second quarter of the samples to the last: medians, so that what is about to be killed, or has just started, does not count. */
export function growth(samples: readonly ReadonlyMap<string, number>[]): string[] {
  const quarter = Math.floor(samples.length / 4);
  const names = new Set(samples.flatMap((each) => [...each.keys()]));
  const failures: string[] = [];
  for (const name of names) {
    const of = (from: number): number => median(samples.slice(from, from + quarter).flatMap((each) => each.get(name) ?? []));
    const [before, after] = [of(quarter), of(samples.length - quarter)];
    if (after > before + SLACK_MIB) failures.push(`${name} grew from ${before.toFixed(0)} to ${after.toFixed(0)} MiB; ${SLACK_MIB} MiB are allowed for`);
  }
  return failures;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
